// Package expr is the language of conditions, keys and texts. A Compiler makes closures of
// an expression, which are evaluated on a Scope. Expressions are total: only the limit of
// steps can fail, all other mistakes are found when they are compiled. The values of an
// event that is not decoded can be read as well (Compiler.Scanner). Start reading at
// Compiler.Compile.
package expr

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// Value and Truth are compiled expressions. They are total: they return a value
// for any event and panic only with OverBudget.
type (
	Value func(*Scope) event.Value
	Truth func(*Scope) bool
)

// Expression is one compiled expression.
type Expression struct {
	Source string
	Node   ast.Node // nil: the syntax is wrong
	Eval   Value
	Test   Truth // Eval as a condition
}

// Problem is an error or a warning about an expression.
type Problem struct {
	At      int // characters from the beginning of the expression
	Message string
	Warning bool

	// Of a Check:
	Once    bool   // report the same message once in a rule
	OfTypes bool   // follows from the samples and the schema: an error if types are strict
	Subject string // the field, or the event type, that no sample has
	Near    string // what it is probably; empty: unknown
}

// Compiler turns a syntax tree of expr-lang's parser into closures. It does not use
// expr-lang's own evaluation, which fails on a missing field or a wrong type. It has a
// method for each kind of node: a tree is compiled by recursion through all of them.
type Compiler struct {
	Vars     event.Value
	Zone     *time.Location             // of clock
	Check    func(Expression) []Problem // looks at each expression that compiles; nil: nothing does
	Scanner  *event.Scanner             // finds the values of events that are not decoded; nil: they are
	NextSlot *int                       // shared by the compilers whose expressions share a Scope; nil: none do
	Depth    int                        // predicates around what is compiled

	// What Compile, Text, Value and Condition add to.
	Problems []Problem
	Paths    [][]string // of the event, that are read
	UsedVars []string   // that are read; "": all

	memoized bool    // inside an expression that is evaluated once
	object   *object // of a Template; nil: the expressions read events
}

// Compile parses and checks source. The expression can be evaluated if
// c.Problems has no error.
func (c *Compiler) Compile(source string) Expression {
	node, err := tree.Parse(source)
	if err != nil {
		at := 0
		if e, ok := errors.AsType[*tree.Error](err); ok {
			at = e.At
		}
		c.Problems = append(c.Problems, Problem{At: at, Message: err.Error()})
		return Expression{Source: source, Eval: constant(event.Value{}), Test: func(*Scope) bool { return false }}
	}
	before := len(c.Problems)
	e := Expression{Source: source, Node: node}
	if isTest(node) {
		e.Test = c.Condition(node)
		e.Eval = e.Test.value
	} else {
		e.Eval = c.Value(node)
		e.Test = e.Eval.truth
	}
	isError := func(p Problem) bool { return !p.Warning }
	if c.Check != nil && !slices.ContainsFunc(c.Problems[before:], isError) {
		c.Problems = append(c.Problems, c.Check(e)...)
	}
	return e
}

func (c *Compiler) fault(n ast.Node, format string, args ...any) Value {
	c.Problems = append(c.Problems, Problem{At: n.Location().From, Message: fmt.Sprintf(format, args...)})
	return constant(event.Value{})
}

func (c *Compiler) warn(n ast.Node, format string, args ...any) {
	c.Problems = append(c.Problems, Problem{At: n.Location().From, Message: fmt.Sprintf(format, args...), Warning: true})
}

func constant(v event.Value) Value { return func(*Scope) event.Value { return v } }

// Value compiles a node. A node in a predicate that does not depend on the
// element is evaluated once per event.
func (c *Compiler) Value(n ast.Node) Value {
	if !c.isOnce(n) {
		return c.node(n)
	}
	c.memoized = true
	eval := c.node(n)
	c.memoized = false
	return c.memoize(eval)
}

func (c *Compiler) node(n ast.Node) Value {
	switch n := n.(type) {
	case *ast.NilNode:
		return constant(event.NullValue())
	case *ast.BoolNode:
		return constant(event.BoolValue(n.Value))
	case *ast.IntegerNode:
		return constant(event.LiteralValue(strconv.Itoa(n.Value), float64(n.Value)))
	case *ast.FloatNode:
		return constant(event.NumberValue(n.Value))
	case *ast.StringNode:
		return constant(event.StringValue(n.Value))
	case *ast.ArrayNode:
		return c.list(n)
	case *ast.IdentifierNode, *ast.MemberNode, *ast.PointerNode:
		return c.member(n)
	case *ast.ChainNode:
		return c.node(n.Node)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		when := c.Condition(n.Cond)
		yes, no := c.Value(n.Exp1), c.Value(n.Exp2)
		return func(s *Scope) event.Value {
			if when(s) {
				return yes(s)
			}
			return no(s)
		}
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		if name, ok := n.Callee.(*ast.IdentifierNode); ok {
			return c.call(n, name.Value, n.Arguments)
		}
		return c.fault(n, "only a function can be called")
	case *ast.SliceNode:
		return c.fault(n, "slices (x[a:b]) are not supported")
	case *ast.MapNode:
		return c.fault(n, "objects ({a: b}) are not supported")
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		return c.fault(n, "let and ; are not supported: put the value under vars")
	}
	return c.fault(n, "this syntax is not supported")
}

func (c *Compiler) list(n *ast.ArrayNode) Value {
	elements := make([]Value, len(n.Nodes))
	for i, e := range n.Nodes {
		elements[i] = c.Value(e)
	}
	if tree.IsConstant(n) {
		list := make([]event.Value, len(elements))
		for i, e := range elements {
			list[i] = e(nil)
		}
		return constant(event.ArrayValue(list))
	}
	return func(s *Scope) event.Value {
		s.Spend(calc.NewElement * len(elements))
		out := make([]event.Value, len(elements))
		for i, e := range elements {
			out[i] = e(s)
		}
		return event.ArrayValue(out)
	}
}

func (c *Compiler) unary(n *ast.UnaryNode) Value {
	switch n.Operator {
	case "not", "!":
		return c.test(n).value
	case "-":
		eval := c.Value(n.Node)
		return func(s *Scope) event.Value { v := eval(s); s.SpendRead(v); return calc.Negative(calc.AsNumber(v)) }
	case "+":
		eval := c.Value(n.Node)
		return func(s *Scope) event.Value { v := eval(s); s.SpendRead(v); return calc.AsNumber(v) }
	}
	return c.fault(n, "the operator %s is not supported", n.Operator)
}

func (c *Compiler) binary(n *ast.BinaryNode) Value {
	if isTest(n) {
		return c.test(n).value
	}
	if slices.Contains([]string{"..", "**", "^"}, n.Operator) {
		return c.fault(n, "the operator %s is not supported; the operators are %s", n.Operator, strings.Join(tree.Operators, " "))
	}
	a, b := c.Value(n.Left), c.Value(n.Right)
	switch n.Operator {
	case "??":
		return func(s *Scope) event.Value {
			if v := a(s); !calc.IsAbsent(v) {
				return v
			}
			return b(s)
		}
	case "+":
		joined := IsText(n, c.Vars)
		return func(s *Scope) event.Value { return s.Add(a(s), b(s), joined) }
	case "-", "*", "/", "%":
		operator := n.Operator
		return func(s *Scope) event.Value { return calc.Arithmetic(operator, s.Number(a(s)), s.Number(b(s))) }
	}
	return c.fault(n, "the operator %s is not supported; the operators are %s", n.Operator, strings.Join(tree.Operators, " "))
}
