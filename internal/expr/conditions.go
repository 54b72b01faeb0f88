package expr

import (
	"math"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// Conditions are compiled to closures that return a bool: most of what a rule does for an
// event is to find that it does not match.

// truth returns a value as a condition: anything but true is false.
func (eval Value) truth(s *Scope) bool { return eval(s).Bool() }

// value returns a condition as a value.
func (test Truth) value(s *Scope) event.Value { return event.BoolValue(test(s)) }

// tests are the operators whose result is a boolean for any operands.
var tests = []string{"and", "&&", "or", "||", "==", "!=", "<", "<=", ">", ">=", "in", "contains", "startsWith", "endsWith", "matches"}

// isTest reports whether a node is a negation or has one of these operators.
func isTest(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.UnaryNode:
		return n.Operator == "not" || n.Operator == "!"
	case *ast.BinaryNode:
		return slices.Contains(tests, n.Operator)
	}
	return false
}

// Condition compiles a node as a condition.
func (c *Compiler) Condition(n ast.Node) Truth {
	if isTest(n) && !c.isOnce(n) {
		return c.test(n)
	}
	return c.Value(n).truth
}

// test compiles a node that isTest.
func (c *Compiler) test(n ast.Node) Truth {
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		operand := c.Condition(n.(*ast.UnaryNode).Node)
		return func(s *Scope) bool { return !operand(s) }
	}
	switch b.Operator {
	case "and", "&&":
		left, right := c.Condition(b.Left), c.Condition(b.Right)
		return func(s *Scope) bool { return left(s) && right(s) }
	case "or", "||":
		left, right := c.Condition(b.Left), c.Condition(b.Right)
		return func(s *Scope) bool { return left(s) || right(s) }
	case "in":
		return c.in(b)
	case "matches":
		return c.matches(b)
	case "==", "!=":
		c.floatLiteral(b)
		return c.equality(b)
	case "contains":
		return compareTexts(c.Value(b.Left), c.Value(b.Right), strings.Contains, true)
	case "startsWith":
		return compareTexts(c.Value(b.Left), c.Value(b.Right), strings.HasPrefix, false)
	case "endsWith":
		return compareTexts(c.Value(b.Left), c.Value(b.Right), strings.HasSuffix, false)
	}
	return c.ordering(b)
}

// equality compiles == and !=.
func (c *Compiler) equality(n *ast.BinaryNode) Truth {
	left, right := c.Value(n.Left), c.Value(n.Right)
	switch {
	case n.Operator == "!=":
		return func(s *Scope) bool {
			x, y := left(s), right(s)
			return s.Unequal(&x, &y)
		}
	case tree.IsFixed(n.Right, true):
		y := right(&Scope{})
		return func(s *Scope) bool { x := left(s); return s.Equal(&x, &y) }
	}
	return func(s *Scope) bool {
		x, y := left(s), right(s)
		return s.Equal(&x, &y)
	}
}

// ordering compiles <, <=, > and >=.
func (c *Compiler) ordering(n *ast.BinaryNode) Truth {
	left, right := c.Value(n.Left), c.Value(n.Right)
	accepts := map[string][3]bool{"<": {true}, "<=": {true, true}, ">": {2: true}, ">=": {1: true, 2: true}}[n.Operator] // by sign
	if tree.IsFixed(n.Right, true) {
		y := right(&Scope{})
		if test := c.scannedOrder(n.Left, &y, accepts); test != nil {
			return test
		}
		return func(s *Scope) bool {
			x := left(s)
			sign, ok := s.Order(&x, &y)
			return ok && accepts[sign+1]
		}
	}
	return func(s *Scope) bool {
		x, y := left(s), right(s)
		sign, ok := s.Order(&x, &y)
		return ok && accepts[sign+1]
	}
}

// compareTexts compiles a comparison of two texts; all: it reads all of the left one.
func compareTexts(left, right Value, f func(s, part string) bool, all bool) Truth {
	return func(s *Scope) bool {
		x, y := left(s), right(s)
		if x.Kind() != event.String || y.Kind() != event.String {
			return false
		}
		if all {
			s.SpendRead(x)
		}
		s.SpendRead(y)
		return f(x.Text(), y.Text())
	}
}

// floatLiteral warns of an equality comparison with a fraction.
func (c *Compiler) floatLiteral(n *ast.BinaryNode) {
	for _, side := range []ast.Node{n.Left, n.Right} {
		if f, ok := side.(*ast.FloatNode); ok && f.Value != math.Trunc(f.Value) {
			c.warn(n, "%s with %v: a computed number is rarely equal to a fraction; use < or >", n.Operator, f.Value)
		}
	}
}
