package lint

import (
	"testing"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/tree"
)

func parsed(t *testing.T, source string) ast.Node {
	t.Helper()
	n, err := tree.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestExclusiveFindsPartsNeverBothTrue(t *testing.T) {
	c := &Checker{Vars: event.ObjectValue([]event.Value{event.Member("limit", event.NumberValue(4))})}
	for _, x := range []struct{ one, other, want string }{
		{`event.a > 1 and event.b == "x"`, `event.b in ["y", "z"]`, `event.b == "x" / event.b in ["y", "z"]`},
		{`event.n > vars.limit`, `event.n < 3`, `event.n > vars.limit / event.n < 3`},
		{`event.b == "x"`, `event.b in ["x", "y"]`, ""},
		{`event.n > 5`, `event.n < "6"`, ""},
		{`event.n >= 5`, `event.n <= 5`, ""},
		{`event.n >= 5`, `event.n < 5`, `event.n >= 5 / event.n < 5`},
		{`event.n == "5 USD"`, `event.m == "5 EUR"`, ""},
	} {
		a, b, ok := c.Exclusive(parsed(t, x.one), parsed(t, x.other))
		got := ""
		if ok {
			got = tree.Source(a) + " / " + tree.Source(b)
		}
		if got != x.want {
			t.Errorf("%s and %s: %q, want %q", x.one, x.other, got, x.want)
		}
	}
}

func TestImpliesComparesWithOrdering(t *testing.T) {
	c := &Checker{}
	for _, x := range []struct {
		condition, ordering string
		want                bool
	}{
		{`event.n > 7`, `event.n > 5`, true},
		{`event.n > 3`, `event.n > 5`, false},
		{`event.n == 6 and event.b`, `event.n > 5`, true},
		{`event.m > 7`, `event.n > 5`, false},
		{`event.n == 6`, `event.n == 6`, false}, // no ordering
	} {
		if got := c.Implies(parsed(t, x.condition), parsed(t, x.ordering)); got != x.want {
			t.Errorf("%s implies %s: %v", x.condition, x.ordering, got)
		}
	}
}
