package lint

import (
	"slices"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// The check of types evaluates every part of an expression on the sample events. An
// operator or a function that none of them gives values of a type that it takes has
// always the same result, which is a warning.

// infer checks a node and its children.
func (c *Checker) infer(n ast.Node, at []Instance) {
	switch n := n.(type) {
	case *ast.UnaryNode:
		if _, isBool := n.Node.(*ast.BoolNode); isBool {
			c.warn(n, "%s is always %v", tree.Source(n), c.fixed(n).Bool())
			return
		}
		c.infer(n.Node, at)
		if n.Operator == "not" || n.Operator == "!" {
			c.wantCondition(n.Node, at)
			c.negatedOrder(n, at)
		} else {
			c.want(n.Node, at, "the operator "+n.Operator, aNumber)
		}
	case *ast.BinaryNode:
		c.inferBinary(n, at)
	case *ast.ConditionalNode:
		if tree.IsFixed(n.Cond, false) {
			c.warn(n, "%s is always %v: write one of its results", tree.Source(n.Cond), c.fixed(n.Cond).Bool())
			return
		}
		c.infer(n.Cond, at)
		c.wantCondition(n.Cond, at)
		c.infer(n.Exp1, c.narrow(at, n.Cond, true))
		c.infer(n.Exp2, c.narrow(at, n.Cond, false))
	case *ast.BuiltinNode:
		c.inferCall(n, n.Name, n.Arguments, at)
	case *ast.CallNode:
		c.inferCall(n, n.Callee.String(), n.Arguments, at)
	case *ast.MemberNode:
		c.infer(n.Node, at)
		if name, ok := n.Property.(*ast.StringNode); ok {
			c.unknown(n, name.Value, at)
			return
		}
		c.infer(n.Property, at)
		c.want(n.Node, at, "[…]", anIndexed)
	default:
		for _, child := range tree.Children(n) {
			c.infer(child, at)
		}
	}
}

func (c *Checker) inferBinary(n *ast.BinaryNode, at []Instance) {
	if c.negatedOperand(n) || c.alwaysSame(n) {
		return
	}
	before := len(c.problems)
	switch n.Operator {
	case "and", "&&", "or", "||":
		c.contradictions(n)
	}
	c.infer(n.Left, at)
	switch n.Operator {
	case "and", "&&", "or", "||":
		c.infer(n.Right, c.narrow(at, n.Left, n.Operator == "and" || n.Operator == "&&"))
		c.wantCondition(n.Left, at)
		if !c.alternative(n) {
			c.wantCondition(n.Right, at)
		}
		return
	}
	c.infer(n.Right, at)
	switch n.Operator {
	case "??":
	case "+":
		c.plus(n, at)
	case "-", "*", "/", "%":
		c.want(n.Left, at, "the operator "+n.Operator, aNumber)
		c.want(n.Right, at, "the operator "+n.Operator, aNumber)
	default:
		c.comparison(n, at, len(c.problems) > before)
	}
}

// plus checks the operands of a +.
func (c *Checker) plus(n *ast.BinaryNode, at []Instance) {
	a, b := c.observe(n.Left, at), c.observe(n.Right, at)
	joined, sums, pairs := expr.IsText(n, c.Vars), 0, 0
	for i := range a {
		if calc.IsAbsent(a[i]) || calc.IsAbsent(b[i]) || at[i].OfSchema {
			continue
		}
		sum := (&calc.Meter{}).Add(a[i], b[i], joined)
		if calc.IsAbsent(sum) {
			c.warnType(n, `%s has no result: %s, and %s; to join them, put a text between them: + "/" +`, tree.Source(n), c.describe(n.Left, a[i], at), c.describe(n.Right, b[i], at))
			return
		}
		pairs++
		if a[i].Kind() == event.String && b[i].Kind() == event.String && sum.Kind() == event.Number {
			sums++
		}
	}
	if c.Examples.Use == ForKey && pairs > 0 && sums == pairs {
		c.warn(n, "%s adds two numbers: write them as two parts of the key", tree.Source(n))
	}
}

// alternative warns of a == "b" or "c".
func (c *Checker) alternative(n *ast.BinaryNode) bool {
	first, ok := n.Left.(*ast.BinaryNode)
	last, isText := n.Right.(*ast.StringNode)
	if !ok || !isText || first.Operator != "==" || n.Operator != "or" && n.Operator != "||" {
		return false
	}
	c.warn(n, "%s is never true by itself: write %s in [%s, %s]", tree.Source(last), tree.Source(first.Left), tree.Source(first.Right), tree.Source(last))
	return true
}

// negatedOrder warns of not (a > b) that is true because a value is missing.
func (c *Checker) negatedOrder(n *ast.UnaryNode, at []Instance) {
	order, ok := n.Node.(*ast.BinaryNode)
	if !ok || tree.Inverse[order.Operator] == "" {
		return
	}
	for _, side := range []ast.Node{order.Left, order.Right} {
		for i, v := range c.observe(side, at) {
			if at[i].Live && calc.IsAbsent(v) {
				c.warn(n, "%s is true without %s, as in the sample %s: write %s %s %s",
					tree.Source(n), tree.Source(side), at[i].Name, tree.Source(order.Left), tree.Inverse[order.Operator], tree.Source(order.Right))
				return
			}
		}
	}
}

// takes has the types of the functions' arguments, where they matter.
var takes = map[string]class{
	"abs": aNumber, "num": aNumber, "bps": aNumber, "money": aNumber, "pct": aNumber, "qty": aNumber,
	"age": aTime, "ago": aTime, "clock": aTime, "lower": aText, "upper": aText, "trim": aText, "join": aList, "len": aLength,
}

func (c *Checker) inferCall(n ast.Node, name string, arguments []ast.Node, at []Instance) {
	c.infer(arguments[0], at)
	if expr.IsListFunction(name) {
		c.inferPredicate(n, name, arguments, at)
		return
	}
	for _, a := range arguments[1:] {
		c.infer(a, at)
	}
	if name == "clock" && len(arguments) == 2 {
		c.layout(arguments[1], at)
	}
	if (name == "min" || name == "max") && len(arguments) == 1 {
		c.wantElements(n, name, arguments[0], at)
	}
	class, ok := takes[name]
	if (name == "min" || name == "max") && len(arguments) > 1 {
		class, ok = aNumber, true
	}
	for i, a := range arguments {
		if ok && (i == 0 || class.name == aNumber.name) {
			c.want(a, at, name+"()", class)
		}
	}
}

// layout warns of a layout of clock() that prints the same for every time.
func (c *Checker) layout(n ast.Node, at []Instance) {
	reference := time.Date(2017, time.November, 23, 19, 47, 58, 0, time.UTC)
	for _, v := range c.observe(n, at) {
		if text := v.Text(); text != "" && reference.Format(text) == text {
			c.warn(n, `clock() prints %q for every time: write the layout as 2006-01-02 15:04:05 MST`, text)
			return
		}
	}
}

// inferPredicate checks the call of a list function.
func (c *Checker) inferPredicate(n ast.Node, name string, arguments []ast.Node, at []Instance) {
	c.want(arguments[0], at, name+"()", aList)
	var elements []Instance
	warned := false
	for i, list := range c.observe(arguments[0], at) {
		if (name == "all" || name == "none") && at[i].Live && calc.IsAbsent(list) && !warned {
			c.warn(n, "%s() is true without %s, as in the sample %s: write len(%[2]s) > 0 and %[1]s(%[2]s, …)", name, tree.Source(arguments[0]), at[i].Name)
			warned = true
		}
		for j := range list.Len() {
			s := *at[i].Scope
			s.Elements = append(slices.Clone(s.Elements), list.At(j))
			elements = append(elements, Instance{at[i].Name, &s, at[i].Live, at[i].OfSchema})
		}
	}
	if len(arguments) < 2 {
		c.wantElements(n, name, arguments[0], at)
		return
	}
	predicate := arguments[1].(*ast.PredicateNode).Node
	c.depth++
	c.infer(predicate, elements)
	switch name {
	case "sum":
		c.want(predicate, elements, "sum()", aNumber)
	case "map":
	default:
		c.wantCondition(predicate, elements)
	}
	c.depth--
}
