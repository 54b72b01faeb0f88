package rule

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

// The check of logic finds conditions whose result does not depend on the event. It
// looks at comparisons with constants that are joined by and, or by or.

// isFixed reports whether a node's value is known at load. without excludes variables,
// which people change.
func isFixed(n ast.Node, variables bool) bool {
	if isConstant(n) && (variables || !usesVariable(n)) {
		return true
	}
	switch n.(type) {
	case *ast.UnaryNode, *ast.BinaryNode, *ast.ArrayNode, *ast.ChainNode, *ast.ConditionalNode:
		return !slices.ContainsFunc(children(n), func(child ast.Node) bool { return !isFixed(child, variables) })
	}
	return false
}

func usesVariable(n ast.Node) bool {
	return isVariable(n) || slices.ContainsFunc(children(n), usesVariable)
}

// fixed returns the value of a fixed node.
func (c *compiler) fixed(n ast.Node) event.Value {
	return (&compiler{vars: c.vars, zone: c.zone}).value(n)(&scope{})
}

// alwaysSame warns of a condition that reads nothing of the event, or that has an
// operand that decides it.
func (c *compiler) alwaysSame(n *ast.BinaryNode) bool {
	isAnd, isOr := isJoin(n, "and"), isJoin(n, "or")
	switch {
	case isAnd || isOr:
		for _, side := range []ast.Node{n.Left, n.Right} {
			if _, isBool := side.(*ast.BoolNode); isBool && c.fixed(side).Bool() == isOr {
				c.warn(n, "%s is always %v, because of %s: remove it", source(n), isOr, source(side))
				return true
			}
		}
	case inverse[n.Operator] == "" && !slices.Contains([]string{"==", "!=", "in"}, n.Operator):
	case isFixed(n, false):
		c.warn(n, "%s is always %v: it reads nothing of the event", source(n), c.fixed(n).Bool())
		return true
	case n.Left.String() == n.Right.String() && !isFixed(n.Left, true):
		c.warn(n, "%s compares %s with itself", source(n), source(n.Left))
		return true
	}
	return false
}

// negatedOperand warns of not a > b, which is (not a) > b.
func (c *compiler) negatedOperand(n *ast.BinaryNode) bool {
	not, ok := n.Left.(*ast.UnaryNode)
	if !ok || not.Operator != "not" && not.Operator != "!" {
		return false
	}
	opposite := inverse[n.Operator]
	_, isBool := n.Right.(*ast.BoolNode)
	switch {
	case n.Operator == "in":
		opposite = "not in"
	case n.Operator == "==" && isConstant(n.Right) && !isBool:
		opposite = "!="
	case slices.Contains([]string{"contains", "startsWith", "endsWith", "matches"}, n.Operator):
		c.warn(n, "not is read before %s: write not (%s %[1]s %[3]s)", n.Operator, source(not.Node), source(n.Right))
		return true
	}
	if opposite != "" {
		c.warn(n, "not is read before %s: write %s %s %s, or not (…)", n.Operator, source(not.Node), opposite, source(n.Right))
	}
	return opposite != ""
}

// isJoin reports whether a node is an and, or an or.
func isJoin(n ast.Node, operator string) bool {
	b, ok := n.(*ast.BinaryNode)
	return ok && (b.Operator == operator || b.Operator == map[string]string{"and": "&&", "or": "||"}[operator])
}

// joined returns the operands of nested ands, or of nested ors.
func joined(n ast.Node, operator string) []ast.Node {
	if !isJoin(n, operator) {
		return []ast.Node{n}
	}
	b := n.(*ast.BinaryNode)
	return append(joined(b.Left, operator), joined(b.Right, operator)...)
}

// fact is a comparison of something of the event with a constant.
type fact struct {
	node     ast.Node
	subject  string
	operator string
	not      bool
	value    event.Value // of the constant
}

// mirrored has the operators for exchanged operands.
var mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// fact returns a condition as a fact, if it is one.
func (c *compiler) fact(n ast.Node) (f fact, ok bool) {
	f.node = n
	if u, isUnary := n.(*ast.UnaryNode); isUnary && (u.Operator == "not" || u.Operator == "!") {
		n, f.not = u.Node, true
	}
	b, ok := n.(*ast.BinaryNode)
	if !ok || f.not && inverse[b.Operator] != "" { // not (x > 5) is also true without x
		return f, false
	}
	left, right, operator := b.Left, b.Right, b.Operator
	if isFixed(left, true) && mirrored[operator] != "" {
		left, right, operator = right, left, mirrored[operator]
	}
	if isFixed(left, true) || !isFixed(right, true) {
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
func (c *compiler) facts(conditions []ast.Node) (facts []fact) {
	for _, n := range conditions {
		if f, ok := c.fact(n); ok && len(facts) < mostFacts {
			facts = append(facts, f)
		}
	}
	return facts
}

// contradictions warns of an and that is never true, and of an or of inequalities that
// is always true.
func (c *compiler) contradictions(n *ast.BinaryNode) {
	operator := "and"
	if isJoin(n, "or") {
		operator = "or"
	}
	if c.chained[n] { // a part of a longer one
		return
	}
	c.chain(n, operator)
	facts := c.facts(joined(n, operator))
	for i, b := range facts {
		for _, a := range facts[:i] {
			switch {
			case operator == "or" && a.not && b.not && a.operator == "in" && b.operator == "in" && conflict(a.positive(), b.positive()):
				c.warn(a.node, "%s or %s is always true: write and", source(a.node), source(b.node))
				return
			case operator == "and" && conflict(a, b):
				c.warn(b.node, "%s and %s are never both true: %s", source(a.node), source(b.node), either(a, b))
				return
			}
		}
	}
}

// chain notes the parts of nested ands, or of nested ors.
func (c *compiler) chain(n ast.Node, operator string) {
	if isJoin(n, operator) {
		c.chained[n] = true
		c.chain(n.(*ast.BinaryNode).Left, operator)
		c.chain(n.(*ast.BinaryNode).Right, operator)
	}
}

// unreachable warns of a rule whose when and where are never both true on a topic.
func (b *builder) unreachable(e *entry, r *rule, where *expression, topic topics.Name) {
	if where == nil || r.where != nil && topic != r.topics[0] {
		return
	}
	c := b.compiler(nil)
	for _, f := range c.facts(joined(r.when.node, "and")) {
		for _, other := range c.facts(joined(where.node, "and")) {
			switch {
			case !conflict(f, other):
				continue
			case r.where != nil:
				b.warn(e.Where.Pos, "%s and %s of when are never both true: remove one", source(other.node), source(f.node))
			default:
				b.warn(e.When.Pos, "no event of %s matches: %s and the topic's default where %s are never both true; write where: true to disable it in this rule",
					topic, source(f.node), source(other.node))
			}
			return
		}
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
	if inverse[a.operator] != "" && inverse[b.operator] != "" {
		return "write or, or exchange the limits"
	}
	return "remove one"
}
