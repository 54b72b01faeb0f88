package lint

import (
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/expr/tree"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
)

// attributes are those of CloudEvents 1.0 that are no extension.
var attributes = []string{"id", "source", "type", "specversion", "subject", "time", "datacontenttype", "dataschema"}

// attribute warns of ce.NAME with a name that no attribute can have, or that is nearly
// one. Samples have no attributes.
func (c *Checker) attribute(n *ast.MemberNode, name string) {
	if root, ok := n.Node.(*ast.IdentifierNode); !ok || root.Value != "ce" || slices.Contains(attributes, name) {
		return
	}
	legal := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
	near := suggest.Closest(legal, attributes)
	if len(legal) <= len("uid") && !strings.HasPrefix(near, legal) { // probably an extension
		near = ""
	}
	switch {
	case slices.Contains(attributes, legal):
		near = legal
	case legal != name && near == "":
		near = legal
	}
	switch {
	case name == "data":
		c.warn(n, "ce.data is no attribute: the data of a CloudEvent is event")
	case legal != name:
		c.warn(n, "ce.%s is no attribute: their names have only lower-case letters and digits; write ce.%s", name, near)
	case near != "":
		c.warn(n, "ce.%s is no attribute of CloudEvents: did you mean ce.%s?", name, near)
	}
}

// neverHas warns of texts that a field never has, whatever the samples are: meta.topic,
// lower and upper, and an event type in ce.type, which samples lack. It reports whether it does.
func (c *Checker) neverHas(n *ast.BinaryNode, at []Instance) bool {
	field, constants := n.Left, n.Right
	if tree.IsConstant(field) && tree.Mirrored[n.Operator] != "" {
		field, constants = constants, field
	}
	if n.Operator == "matches" || tree.Inverse[n.Operator] != "" || !tree.IsConstant(constants) {
		return false
	}
	before := len(c.problems)
	name, _ := tree.Callee(field)
	isEqual := slices.Contains([]string{"==", "!=", "in"}, n.Operator)
	for _, text := range c.literals(constants) {
		quoted := strconv.Quote(text.value)
		switch {
		case name == "lower" && text.value != strings.ToLower(text.value):
			c.warn(text.node, "%s has no capital letters: write %q instead of %s", tree.Source(field), strings.ToLower(text.value), quoted)
		case name == "upper" && text.value != strings.ToUpper(text.value):
			c.warn(text.node, "%s has no small letters: write %q instead of %s", tree.Source(field), strings.ToUpper(text.value), quoted)
		case field.String() == "meta.topic" && isEqual && !slices.Contains(c.Examples.Topics, topics.Name(text.value)):
			c.warn(text.node, "meta.topic is never %s: the rule is of %s", quoted, topics.Join(c.Examples.Topics, ", "))
		case field.String() == "ce.type" && isEqual:
			var types []string
			for _, in := range at {
				types = append(types, in.Scope.Event.Type)
			}
			if near := suggest.Closest(text.value, types); near != "" && !slices.Contains(types, text.value) {
				c.warn(text.node, "%s is the event type of no sample of %s: did you mean %q?", quoted, topics.Join(c.Examples.Topics, ", "), near)
			}
		}
	}
	return len(c.problems) > before
}
