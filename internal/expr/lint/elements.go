package lint

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// wantElements warns of a call such as sum(list), without a predicate, whose lists have
// elements and none that is a number, or for count a boolean.
func (c *Checker) wantElements(n ast.Node, name string, list ast.Node, at []Instance) {
	what := aNumber
	if name == "count" {
		what = class{"a boolean", func(v event.Value) bool { return v.Kind() == event.Bool }}
	}
	var other event.Value
	for _, v := range c.observe(list, at) {
		elements := v
		if v.Kind() != event.Array {
			elements = event.ArrayValue([]event.Value{v})
		}
		for i := range elements.Len() {
			switch e := elements.At(i); {
			case calc.IsAbsent(e):
			case what.fits(e):
				return
			case other.Kind() == event.Missing:
				other = e
			}
		}
	}
	if other.Kind() == event.Missing {
		return
	}
	text := kinds[other.Kind()]
	if !tree.IsConstant(list) {
		text += " in the samples"
	}
	if other.Kind() < event.Array {
		text += ", such as " + tree.Quote(other)
	}
	c.warnType(n, "%s() takes a list of %ss: the elements of %s are %s%s", name, strings.TrimPrefix(what.name, "a "), tree.Source(list), text, element(name, list, other))
}

var kinds = map[event.Kind]string{event.Bool: "booleans", event.Number: "numbers", event.String: "texts", event.Array: "lists", event.Object: "objects"}

// element says what to write to get a value of each element.
func element(name string, list ast.Node, e event.Value) string {
	if name == "count" {
		return fmt.Sprintf("; write len(%s), or a condition as the second argument", tree.Source(list))
	}
	var member string
	for i := range e.Len() {
		if m := e.At(i); e.Kind() == event.Object && aNumber.fits(m) {
			member = m.Name()
			break
		}
	}
	switch {
	case member == "":
		return ""
	case name == "sum":
		return fmt.Sprintf("; write sum(%s, .%s) or another member", tree.Source(list), member)
	}
	return fmt.Sprintf("; write %s(map(%s, .%s)) or another member", name, tree.Source(list), member)
}
