package lint

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
)

// optional are documented members that no sample has.
var optional = []string{"reconciliation", "trace_id", "timestamp"}

// unknown warns of a member that no sample has, with the likely correction.
func (c *Checker) unknown(n *ast.MemberNode, name string, at []Instance) {
	c.attribute(n, name)
	_, root, _ := tree.Unfold(n)
	_, isDirect := n.Node.(*ast.IdentifierNode)
	if id, ok := root.(*ast.IdentifierNode); ok && id.Value != "event" || isDirect && slices.Contains(optional, name) || !c.Examples.Complete {
		return
	}
	if slices.ContainsFunc(c.observe(n, at), func(v event.Value) bool { return v.Kind() != event.Missing }) {
		return
	}
	var names []string
	var other event.Value // what has no members
	objects := 0
	for _, v := range c.observe(n.Node, at) {
		if v.Kind() != event.Object && !calc.IsAbsent(v) {
			other = v
		}
		for i := range v.Len() {
			if v.Kind() == event.Object && !slices.Contains(names, v.At(i).Name()) {
				names = append(names, v.At(i).Name())
			}
		}
		if v.Kind() == event.Object {
			objects++
		}
	}
	var message, subject, nor string
	if c.Examples.Described {
		nor = " and not in the schema"
	}
	near := suggest.Closest(name, names)
	switch {
	case objects > 0 && near != "":
		message, subject = fmt.Sprintf("%s is in no sample%s: did you mean %s?", tree.Source(n), nor, near), tree.Source(n)
	case objects > 0:
		subject = tree.Source(n)
		message = fmt.Sprintf("%s is in no sample%s of %s", tree.Source(n), nor, topics.Join(c.Examples.Topics, ", "))
	case other.Kind() == event.Array:
		message = fmt.Sprintf("%s is a list in the samples: write any(%[1]s, .%s …) or %[1]s[0].%[2]s", tree.Source(n.Node), name)
	case other.Kind() != event.Missing:
		message = c.describe(n.Node, other, at) + ": it has no member " + name
	default:
		return // a part of the path is reported
	}
	place := ast.Node(n)
	if _, ok := root.(*ast.IdentifierNode); ok {
		place = root
	}
	c.problems = append(c.problems, expr.Problem{At: place.Location().From, Message: message, Warning: true, Once: true, OfTypes: true, Subject: subject, Near: near})
}
