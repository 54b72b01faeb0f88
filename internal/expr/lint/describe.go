package lint

import (
	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// describe says of which type a node is, with an example.
func (c *Checker) describe(n ast.Node, v event.Value, at []Instance) string {
	kind := map[event.Kind]string{event.Bool: "a boolean", event.Number: "a number", event.String: "a text", event.Array: "a list", event.Object: "an object"}[v.Kind()]
	text := tree.Source(n) + " is " + kind
	where := ""
	if !tree.IsConstant(n) {
		where = c.place(n, at)
		text += " " + where
	}
	if v.Kind() < event.Array && tree.Source(n) != tree.Quote(v) && where != inSchema {
		text += ", such as " + tree.Quote(v)
	}
	return text
}
