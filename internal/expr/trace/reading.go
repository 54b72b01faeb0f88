package trace

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// Value is what a part of a condition read.
type Value struct {
	Name string `json:"name"` // a path of the event, a variable, or a calculation
	// Type is text, number, boolean, list, object, null, missing or, of a calculation, no result.
	Type string `json:"type"`
	Text string `json:"value"`          // as an expression writes it; empty: there is none
	Hint string `json:"hint,omitempty"` // of a missing one: what was probably meant, or who has it
}

// String returns the value in words, such as: event.notional is "12000" (text).
func (v Value) String() string {
	switch {
	case v.Hint != "":
		return v.Name + " is " + v.typed() + " (" + v.Hint + ")"
	case v.Type == noResult:
		return v.Name + " has no result"
	case strings.HasPrefix(v.Name, "vars.") && v.Text != "":
		return v.Name + " is " + v.Text
	}
	return v.Name + " is " + v.typed()
}

func (v Value) typed() string {
	if v.Text == "" {
		return v.Type
	}
	return v.Text + " (" + v.Type + ")"
}

const noResult = "no result" // of a calculation

// kindNames are the types of values in the words of docs/rules.md.
var kindNames = map[event.Kind]string{
	event.Missing: "missing", event.Null: "null", event.Bool: "boolean", event.Number: "number", event.String: "text", event.Array: "list", event.Object: "object",
}

// NewValue returns a value that was read, with its name.
func NewValue(name string, v event.Value) Value {
	value := Value{Name: name, Type: kindNames[v.Kind()]}
	switch {
	case calc.IsNoResult(v):
		value.Type = noResult
	case v.Kind() >= event.Array:
		value.Text = strconv.Itoa(v.Len()) + " elements"
		if v.Len() == 0 {
			value.Text = "empty"
		} else if v.Kind() == event.Array {
			value.Text = "[" + tree.Shorten(calc.Display(v)) + "]"
		}
	case v.Kind() > event.Null:
		value.Text = tree.Quote(v)
	}
	return value
}

// mostValues limits the values of a part.
const mostValues = 8

// values returns what a part read: the calculations that it compares, the paths of the
// event and the variables.
func (t *Tracer) values(n ast.Node) (list []Value) {
	add := func(n ast.Node) {
		v, ok := t.eval(n)
		value := NewValue(tree.Source(n), v)
		if !ok || len(list) >= mostValues || slices.ContainsFunc(list, func(x Value) bool { return x.Name == value.Name }) {
			return
		}
		if names, isPath := t.path(n); isPath && v.Kind() == event.Missing && t.Hint != nil {
			value.Hint = t.Hint(names)
		}
		list = append(list, value)
	}
	if not, ok := n.(*ast.UnaryNode); ok {
		n = not.Node
	}
	if b, ok := n.(*ast.BinaryNode); ok && !tree.IsJoin(b, "and") && !tree.IsJoin(b, "or") {
		for _, side := range []ast.Node{b.Left, b.Right} {
			if isCalculation(side) {
				add(side)
			}
		}
	}
	var walk func(ast.Node)
	walk = func(n ast.Node) {
		if (isReference(n) || tree.IsVariable(n)) && tree.IsInvariant(n) {
			add(n)
			return
		}
		if elements := t.elements(n); len(elements) > 0 {
			for _, e := range elements {
				add(e)
			}
			n = n.(*ast.BuiltinNode).Arguments[1]
		}
		for _, child := range tree.Children(n) {
			walk(child)
		}
	}
	walk(n)
	return list
}

// elements returns what the predicate of a list function compares of each element, as calls
// of map(); none where the list is empty.
func (t *Tracer) elements(n ast.Node) (list []ast.Node) {
	call, ok := n.(*ast.BuiltinNode)
	if !ok || len(call.Arguments) != 2 || !tree.IsInvariant(call.Arguments[0]) {
		return nil
	}
	predicate, ok := call.Arguments[1].(*ast.PredicateNode)
	if !ok {
		return nil
	}
	if v, ok := t.eval(call.Arguments[0]); !ok || v.Kind() != event.Array || v.Len() == 0 {
		return nil
	}
	for _, and := range tree.Joined(predicate.Node, "and") {
		for _, one := range tree.Joined(and, "or") {
			b, ok := one.(*ast.BinaryNode)
			if !ok {
				continue
			}
			for _, side := range []ast.Node{b.Left, b.Right} {
				if !tree.IsInvariant(side) {
					list = append(list, &ast.BuiltinNode{Name: "map", Arguments: []ast.Node{call.Arguments[0], &ast.PredicateNode{Node: side}}})
				}
			}
		}
	}
	return list
}

// isReference reports whether a node is a path below a root, such as event.positions[0].
func isReference(n ast.Node) bool {
	switch n.(type) {
	case *ast.MemberNode, *ast.ChainNode, *ast.IdentifierNode:
	default:
		return false
	}
	_, base, _ := tree.Unfold(n)
	id, ok := base.(*ast.IdentifierNode)
	return ok && slices.Contains(expr.Roots, id.Value)
}

// isCalculation reports whether a node has a value that depends on the event and is none of
// it.
func isCalculation(n ast.Node) bool {
	return !tree.IsFixed(n, true) && !isReference(n) && !tree.IsVariable(n) && tree.IsInvariant(n)
}

// path returns the names of a path of the event.
func (t *Tracer) path(n ast.Node) ([]string, bool) {
	names, base, rest := tree.Unfold(n)
	id, ok := base.(*ast.IdentifierNode)
	return names, ok && id.Value == "event" && len(names) > 0 && len(rest) == 0
}

// note says why a part could not be true, whatever the values are.
func (t *Tracer) note(n ast.Node, result event.Value) string {
	if !calc.IsAbsent(result) && result.Kind() != event.Bool {
		return "its value is no boolean, so it is never true"
	}
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		return ""
	}
	left, lok := t.eval(b.Left)
	right, rok := t.eval(b.Right)
	if !lok || !rok || calc.IsAbsent(left) || calc.IsAbsent(right) || tree.Inverse[b.Operator] == "" && b.Operator != "in" && b.Operator != "==" {
		return ""
	}
	switch {
	case calc.AreComparable(b.Operator, left, right):
		return ""
	case b.Operator == "in":
		return fmt.Sprintf("no element is a %s", kindNames[left.Kind()])
	case b.Operator == "==":
		return fmt.Sprintf("a %s and a %s are never equal", kindNames[left.Kind()], kindNames[right.Kind()])
	case left.Kind() == right.Kind():
		return "they have no order"
	}
	return fmt.Sprintf("a %s and a %s have no order", kindNames[left.Kind()], kindNames[right.Kind()])
}
