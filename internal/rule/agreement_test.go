package rule

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/expr-lang/expr/parser"
	"pgregory.net/rapid"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
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
		source := drawExpression(4, false).Draw(t, "expression")
		if rapid.Bool().Draw(t, "over long lists") {
			source = rapid.SampledFrom([]string{"map", "any", "filter", "count"}).Draw(t, "over") + "(event.list, " + drawExpression(3, true).Draw(t, "predicate") +
				rapid.SampledFrom([]string{"", " in event.long", " in map(event.long, #)", " in (.a ?? event.long)", " in " + longList, " == event.long"}).Draw(t, "in") + ")"
		}
		vars := event.ObjectValue([]event.Value{event.Member("limit", event.NumberValue(4))})
		c := &compiler{zone: time.UTC, vars: vars}
		e := c.compile(source)
		for _, p := range c.problems {
			if !p.warning {
				t.Skip("not supported")
			}
		}
		tree, err := parser.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		ev := &event.Event{Doc: drawDocument(t), CE: drawValue(1).Draw(t, "ce")}
		want := (&interpreter{ev: ev, vars: vars}).eval(tree.Node)
		free := &scope{ev: ev, now: fixedNow}
		if got := e.eval(free); !same(got, want) {
			t.Fatalf("%s is %s, want %s", source, calc.Display(got), calc.Display(want))
		}
		if text := (&interpreter{}).text(want); calc.DisplayAll(&calc.Meter{}, want) != text || !strings.HasPrefix(text, calc.Display(want)) {
			t.Fatalf("%s prints %q, want %q", source, calc.Display(want), text)
		}
		if free.Spent == 0 {
			return
		}
		limited := &scope{ev: ev, now: fixedNow, Meter: calc.Meter{Limit: free.Spent}}
		if got := e.eval(limited); !same(got, want) || limited.Spent != free.Spent {
			t.Fatalf("%s takes %d steps, then %d", source, free.Spent, limited.Spent)
		}
		if free.Spent > 1 && evaluates(e, &scope{ev: ev, now: fixedNow, Meter: calc.Meter{Limit: free.Spent - 1}}) {
			t.Fatalf("%s takes %d steps of %d", source, free.Spent, free.Spent-1)
		}
	})
}

func evaluates(e expression, s *scope) (ok bool) {
	defer func() {
		if v := recover(); v != nil && v != any(calc.OverBudget{}) {
			panic(v)
		}
	}()
	e.eval(s)
	return true
}

const longList = `[1, 2, 3, 4, "5", "a", "b", "", nil, true, 9007199254740993, "9007199254740993", "1e999", 2.5, -0.0, 11, 12, 13, [1], []]`

// drawDocument draws a document with lists that are long enough for a set.
func drawDocument(t *rapid.T) event.Value {
	doc := drawValue(3).Draw(t, "document")
	if doc.Kind() != event.Object {
		return doc
	}
	members := []event.Value{event.Member("long", event.ArrayValue(rapid.SliceOfN(drawElement(), 0, 40).Draw(t, "long")))}
	for i := range doc.Len() {
		members = append(members, doc.At(i))
	}
	if rapid.Bool().Draw(t, "with a list") {
		members = append(members, event.Member("list", event.ArrayValue(rapid.SliceOfN(drawElement(), 0, 6).Draw(t, "list"))))
	}
	return event.ObjectValue(members)
}

// drawElement draws from a few values, so that lists have common elements.
func drawElement() *rapid.Generator[event.Value] {
	numbers := []string{"0", "-0", "0.0", "1", "5", "5.0", "2.5", "1e999", "9007199254740992", "9007199254740993", "9007199254740993.0", "9007199254740994", "-9007199254740993", "9223372036854775807", "9223372036854775808"}
	return rapid.Custom(func(t *rapid.T) event.Value {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return rapid.SampledFrom([]event.Value{{}, event.NullValue(), event.BoolValue(true), event.BoolValue(false), event.NumberValue(math.NaN())}).Draw(t, "value")
		case 1, 2:
			literal := rapid.SampledFrom(numbers).Draw(t, "number")
			f, _ := strconv.ParseFloat(literal, 64)
			return event.LiteralValue(literal, f)
		case 3:
			return event.StringValue(rapid.SampledFrom(append(slices.Clone(numbers), "", "a", "b", "nan", " 5 ", "5 USDT", "9007199254740993 USDT", "(9007199254740993)", "009007199254740993")).Draw(t, "text"))
		case 4:
			return event.StringValue(rapid.StringN(0, 3, -1).Draw(t, "text"))
		}
		return drawValue(1).Draw(t, "any")
	})
}

// TestSetAgreesWithLinearSearch covers every kind of value.
func TestSetAgreesWithLinearSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := event.ArrayValue(rapid.SliceOfN(drawElement(), 0, 30).Draw(t, "list"))
		v := drawElement().Draw(t, "value")
		if got, want := calc.NewSet(list).Contains(&calc.Meter{}, v), (&interpreter{}).in(v, list); got != want {
			t.Fatalf("%s in %s is %v, want %v", calc.Display(v), calc.Display(list), got, want)
		}
	})
}

// TestPrefilterAgreesWithMatch on any condition and document.
func TestPrefilterAgreesWithMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		when := rapid.SampledFrom([]string{"", `event.a == "a" and `, `event.a in ["5", ""] or `, "event.b.c > 1 and ", "not "}).Draw(t, "begin") + "(" + drawExpression(3, false).Draw(t, "expression") + ")"
		set, faults := Compile("r.yaml", []byte("version: 1\nvars: {limit: 4}\nrules:\n  - {name: r, to: [desk], title: t, when: "+strconv.Quote(when)+"}\n"), Environment{})
		if len(faults.Errors()) > 0 {
			t.Skip("not supported")
		}
		d := event.NewDecoder(nil, set.Reads(), nil)
		prefilter := set.Prefilter(d)
		for range 10 {
			rec := event.Record{Topic: "trade-executions", Value: []byte(jsonText(drawDocument(t))), Arrived: fixedNow}
			if !prefilter.Quiet(rec, fixedNow, nil) {
				continue
			}
			e, err := d.Decode(rec)
			if err != nil || e.Repaired != "" {
				t.Fatalf("%s is called quiet: error %v, repair %q", rec.Value, err, e.Repaired)
			}
			if alerts, err := set.Match(&e, fixedNow); err != nil || len(alerts) > 0 {
				t.Fatalf("%s is called quiet for %s: error %v, %d alerts", rec.Value, when, err, len(alerts))
			}
		}
	})
}

func jsonText(v event.Value) string {
	parts := make([]string, v.Len())
	for i := range parts {
		parts[i] = jsonText(v.At(i))
		if v.Kind() == event.Object {
			parts[i] = strconv.Quote(v.At(i).Name()) + ":" + parts[i]
		}
	}
	switch v.Kind() {
	case event.Bool:
		return strconv.FormatBool(v.Bool())
	case event.Number:
		return v.Text()
	case event.String:
		b, _ := json.Marshal(v.Text())
		return string(b)
	case event.Array:
		return "[" + strings.Join(parts, ",") + "]"
	case event.Object:
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "null"
}
