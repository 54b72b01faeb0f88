package tree

import (
	"errors"
	"testing"

	"github.com/expr-lang/expr/ast"
)

func parsed(t *testing.T, source string) ast.Node {
	t.Helper()
	n, err := Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSourceIsWrittenAsPeopleWriteIt(t *testing.T) {
	for source, want := range map[string]string{
		`event.n > 1250000.5`:                 `event.n > 1250000.5`,
		`not (event.side in ["buy", "sell"])`: `event.side not in ["buy", "sell"]`,
		`any(event.positions, .weight > 2)`:   `any(event.positions, .weight > 2)`,
		`event.a  ==  null`:                   `event.a == nil`,
	} {
		if got := Source(parsed(t, source)); got != want {
			t.Errorf("%s is written %s, want %s", source, got, want)
		}
	}
}

func TestSpanIncludesBrackets(t *testing.T) {
	const source = `(event.a[0] > 1) and any(event.list, (# > 2)) or event.b in ["(", ")"]`
	for i, want := range []string{`(event.a[0] > 1) and any(event.list, (# > 2))`, `event.b in ["(", ")"]`} {
		start, end := Span(Joined(parsed(t, source), "or")[i], []rune(source))
		if got := source[start:end]; got != want {
			t.Errorf("part %d is %q, want %q", i, got, want)
		}
	}
}

func TestNodesKnowWhatTheyDependOn(t *testing.T) {
	for source, want := range map[string]struct{ constant, fixed, fixedWithVariables, invariant bool }{
		`[1, "a"]`:       {true, true, true, true},
		`vars.limit`:     {true, false, true, true},
		`vars.limit * 2`: {false, false, true, true},
		`1 + 2`:          {false, true, true, true},
		`event.a + 1`:    {false, false, false, true},
		`# > 1`:          {},
	} {
		var n ast.Node
		if source == `# > 1` { // it exists only in a predicate
			n = parsed(t, `any(event.list, # > 1)`).(*ast.BuiltinNode).Arguments[1].(*ast.PredicateNode).Node
		} else {
			n = parsed(t, source)
		}
		if IsConstant(n) != want.constant || IsFixed(n, false) != want.fixed || IsFixed(n, true) != want.fixedWithVariables || IsInvariant(n) != want.invariant {
			t.Errorf("%s: constant %v, fixed %v, with variables %v, invariant %v", source, IsConstant(n), IsFixed(n, false), IsFixed(n, true), IsInvariant(n))
		}
	}
}

func TestSyntaxErrorsSayWhatToWrite(t *testing.T) {
	for source, want := range map[string]struct {
		at      int
		message string
	}{
		``:               {0, "the expression is empty"},
		`event.a = 1`:    {8, "use == to compare, not ="},
		`event.a >`:      {8, "the expression is incomplete"},
		`age(x) > 5m`:    {10, "durations are numbers of seconds: write 300 for 5m"},
		`event.a AND b`:  {8, `unexpected "AND": write and`},
		`event.a event.`: {8, `unexpected "event"`},
	} {
		_, err := Parse(source)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.At != want.at || e.Error() != want.message {
			t.Errorf("%q: at %d: %v, want %+v", source, e.At, err, want)
		}
	}
}
