package expr

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/parser"
	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/exprtest"
)

var fixedNow = time.Unix(1795444265, 0)

// same reports whether two values are equal in a rule and when printed.
func same(a, b event.Value) bool {
	if a.Kind() != b.Kind() || a.Bool() != b.Bool() || a.Text() != b.Text() || a.Len() != b.Len() || a.Name() != b.Name() {
		return false
	}
	if a.Float() != b.Float() && !(math.IsNaN(a.Float()) && math.IsNaN(b.Float())) {
		return false
	}
	for i := range a.Len() {
		if !same(a.At(i), b.At(i)) {
			return false
		}
	}
	return true
}

// TestCompiledExpressionsAgreeWithReference: the step count is deterministic;
// a limit of exactly that count changes nothing, one less ends the evaluation.
func TestCompiledExpressionsAgreeWithReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source := exprtest.Expression(4, false).Draw(t, "expression")
		if rapid.Bool().Draw(t, "over long lists") {
			source = rapid.SampledFrom([]string{"map", "any", "filter", "count"}).Draw(t, "over") + "(event.list, " + exprtest.Expression(3, true).Draw(t, "predicate") +
				rapid.SampledFrom([]string{"", " in event.long", " in map(event.long, #)", " in (.a ?? event.long)", " in " + longList, " == event.long"}).Draw(t, "in") + ")"
		}
		vars := event.ObjectValue([]event.Value{event.Member("limit", event.NumberValue(4))})
		c := &Compiler{Zone: time.UTC, Vars: vars}
		e := c.Compile(source)
		for _, p := range c.Problems {
			if !p.Warning {
				t.Skip("not supported")
			}
		}
		tree, err := parser.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		ev := &event.Event{Doc: exprtest.Document(t), CE: exprtest.Value(1).Draw(t, "ce")}
		want := (&interpreter{ev: ev, vars: vars}).eval(tree.Node)
		free := &Scope{Event: ev, Now: fixedNow}
		if got := e.Eval(free); !same(got, want) {
			t.Fatalf("%s is %s, want %s", source, calc.Display(got), calc.Display(want))
		}
		if text := (&interpreter{}).text(want); calc.DisplayAll(&calc.Meter{}, want) != text || !strings.HasPrefix(text, calc.Display(want)) {
			t.Fatalf("%s prints %q, want %q", source, calc.Display(want), text)
		}
		if free.Spent == 0 {
			return
		}
		limited := &Scope{Event: ev, Now: fixedNow, Meter: calc.Meter{Limit: free.Spent}}
		if got := e.Eval(limited); !same(got, want) || limited.Spent != free.Spent {
			t.Fatalf("%s takes %d steps, then %d", source, free.Spent, limited.Spent)
		}
		if free.Spent > 1 && evaluates(e, &Scope{Event: ev, Now: fixedNow, Meter: calc.Meter{Limit: free.Spent - 1}}) {
			t.Fatalf("%s takes %d steps of %d", source, free.Spent, free.Spent-1)
		}
	})
}

func evaluates(e Expression, s *Scope) (ok bool) {
	defer func() {
		if v := recover(); v != nil && v != any(calc.OverBudget{}) {
			panic(v)
		}
	}()
	e.Eval(s)
	return true
}

const longList = `[1, 2, 3, 4, "5", "a", "b", "", nil, true, 9007199254740993, "9007199254740993", "1e999", 2.5, -0.0, 11, 12, 13, [1], []]`

// TestSetAgreesWithLinearSearch covers every kind of value.
func TestSetAgreesWithLinearSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := event.ArrayValue(rapid.SliceOfN(exprtest.Element(), 0, 30).Draw(t, "list"))
		v := exprtest.Element().Draw(t, "value")
		if got, want := calc.NewSet(list).Contains(&calc.Meter{}, v), (&interpreter{}).in(v, list); got != want {
			t.Fatalf("%s in %s is %v, want %v", calc.Display(v), calc.Display(list), got, want)
		}
	})
}
