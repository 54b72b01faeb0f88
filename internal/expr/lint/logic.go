package lint

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// The check of logic finds conditions whose result does not depend on the event. It
// looks at comparisons with constants that are joined by and, or by or.

// fixed returns the value of a fixed node.
func (c *Checker) fixed(n ast.Node) event.Value {
	return (&expr.Compiler{Vars: c.Vars, Zone: c.Zone}).Value(n)(&expr.Scope{})
}

// alwaysSame warns of a condition that reads nothing of the event, or that has an
// operand that decides it.
func (c *Checker) alwaysSame(n *ast.BinaryNode) bool {
	isAnd, isOr := tree.IsJoin(n, "and"), tree.IsJoin(n, "or")
	switch {
	case isAnd || isOr:
		for _, side := range []ast.Node{n.Left, n.Right} {
			if _, isBool := side.(*ast.BoolNode); isBool && c.fixed(side).Bool() == isOr {
				c.warn(n, "%s is always %v, because of %s: remove it", tree.Source(n), isOr, tree.Source(side))
				return true
			}
		}
	case tree.Inverse[n.Operator] == "" && !slices.Contains([]string{"==", "!=", "in"}, n.Operator):
	case tree.IsFixed(n, false):
		c.warn(n, "%s is always %v: it reads nothing of the event", tree.Source(n), c.fixed(n).Bool())
		return true
	case n.Left.String() == n.Right.String() && !tree.IsFixed(n.Left, true):
		c.warn(n, "%s compares %s with itself", tree.Source(n), tree.Source(n.Left))
		return true
	}
	return false
}

// negatedOperand warns of not a > b, which is (not a) > b.
func (c *Checker) negatedOperand(n *ast.BinaryNode) bool {
	not, ok := n.Left.(*ast.UnaryNode)
	if !ok || not.Operator != "not" && not.Operator != "!" {
		return false
	}
	opposite := tree.Inverse[n.Operator]
	_, isBool := n.Right.(*ast.BoolNode)
	switch {
	case n.Operator == "in":
		opposite = "not in"
	case n.Operator == "==" && tree.IsConstant(n.Right) && !isBool:
		opposite = "!="
	case slices.Contains([]string{"contains", "startsWith", "endsWith", "matches"}, n.Operator):
		c.warn(n, "not is read before %s: write not (%s %[1]s %[3]s)", n.Operator, tree.Source(not.Node), tree.Source(n.Right))
		return true
	}
	if opposite != "" {
		c.warn(n, "not is read before %s: write %s %s %s, or not (…)", n.Operator, tree.Source(not.Node), opposite, tree.Source(n.Right))
	}
	return opposite != ""
}

// fact is a comparison of something of the event with a constant.
type fact struct {
	node     ast.Node
	subject  string
	operator string
	not      bool
	value    event.Value // of the constant
}

// fact returns a condition as a fact, if it is one.
func (c *Checker) fact(n ast.Node) (f fact, ok bool) {
	f.node = n
	if u, isUnary := n.(*ast.UnaryNode); isUnary && (u.Operator == "not" || u.Operator == "!") {
		n, f.not = u.Node, true
	}
	b, ok := n.(*ast.BinaryNode)
	if !ok || f.not && tree.Inverse[b.Operator] != "" { // not (x > 5) is also true without x
		return f, false
	}
	left, right, operator := b.Left, b.Right, b.Operator
	if tree.IsFixed(left, true) && tree.Mirrored[operator] != "" {
		left, right, operator = right, left, tree.Mirrored[operator]
	}
	if tree.IsFixed(left, true) || !tree.IsFixed(right, true) {
		return f, false
	}
	if operator == "!=" {
		operator, f.not = "==", !f.not
	}
	f.subject, f.operator, f.value = left.String(), operator, c.fixed(right)
	if operator == "==" {
		f.operator, f.value = "in", event.ArrayValue([]event.Value{f.value})
	}
	return f, f.operator != "in" || f.value.Kind() == event.Array && f.value.Len() > 0
}

// mostFacts limits the facts of one condition that are compared with each other.
const mostFacts = 200

// facts returns the facts in a list of conditions.
func (c *Checker) facts(conditions []ast.Node) (facts []fact) {
	for _, n := range conditions {
		if f, ok := c.fact(n); ok && len(facts) < mostFacts {
			facts = append(facts, f)
		}
	}
	return facts
}

// contradictions warns of an and that is never true, and of an or of inequalities that
// is always true.
func (c *Checker) contradictions(n *ast.BinaryNode) {
	operator := "and"
	if tree.IsJoin(n, "or") {
		operator = "or"
	}
	if c.chained[n] { // a part of a longer one
		return
	}
	c.chain(n, operator)
	facts := c.facts(tree.Joined(n, operator))
	for i, b := range facts {
		for _, a := range facts[:i] {
			switch {
			case operator == "or" && a.not && b.not && a.operator == "in" && b.operator == "in" && conflict(a.positive(), b.positive()):
				c.warn(a.node, "%s or %s is always true: write and", tree.Source(a.node), tree.Source(b.node))
				return
			case operator == "and" && conflict(a, b):
				c.warn(b.node, "%s and %s are never both true: %s", tree.Source(a.node), tree.Source(b.node), either(a, b))
				return
			}
		}
	}
}

// chain notes the parts of nested ands, or of nested ors.
func (c *Checker) chain(n ast.Node, operator string) {
	if tree.IsJoin(n, operator) {
		c.chained[n] = true
		c.chain(n.(*ast.BinaryNode).Left, operator)
		c.chain(n.(*ast.BinaryNode).Right, operator)
	}
}

func (f fact) positive() fact {
	f.not = false
	return f
}

// either says what to write instead of two facts that exclude each other.
func either(a, b fact) string {
	if a.operator == "in" && b.operator == "in" && !a.not && !b.not {
		return "write or"
	}
	if tree.Inverse[a.operator] != "" && tree.Inverse[b.operator] != "" {
		return "write or, or exchange the limits"
	}
	return "remove one"
}

// Exclusive returns parts of two conditions that are never both true; ok is false if there
// are none.
func (c *Checker) Exclusive(one, other ast.Node) (ofOne, ofOther ast.Node, ok bool) {
	for _, a := range c.facts(tree.Joined(one, "and")) {
		for _, b := range c.facts(tree.Joined(other, "and")) {
			if conflict(a, b) {
				return a.node, b.node, true
			}
		}
	}
	return nil, nil, false
}

// Implies reports whether a condition is true only where an ordering is: what it says of
// the same is never true outside of it.
func (c *Checker) Implies(condition, ordering ast.Node) bool {
	outside, ok := c.fact(ordering)
	if !ok || tree.Inverse[outside.operator] == "" {
		return false
	}
	outside.operator = tree.Inverse[outside.operator]
	return slices.ContainsFunc(c.facts(tree.Joined(condition, "and")), func(f fact) bool { return conflict(f, outside) })
}
