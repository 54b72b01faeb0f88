package rule

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

// scope holds the input and the state of evaluating one event.
type scope struct {
	ev       *event.Event
	now      time.Time
	elements []event.Value  // current elements of any, filter, …; the innermost last
	cache    *cache         // see compiler.memoize; nil: empty
	one      [1]event.Value // the argument of a function that has one
	calc.Meter

	scanned
}

// scanned is what a scope has of an event that is not decoded.
type scanned struct {
	found     []event.Found // see event.Scanner
	lists     *event.Lists  // reads those of found that are lists
	size      int           // of the event, in bytes
	undecided bool          // a value was read that is not in found, or has too many elements
}

// newScanned returns a scope for what a scanner finds.
func newScanned(scanner *event.Scanner) scope {
	return scope{scanned: scanned{found: make([]event.Found, scanner.Size()), lists: event.NewLists()}}
}

// reset gives up what a scope of newScanned holds of an event, and keeps its memory.
func (s *scope) reset() {
	clear(s.found)
	clear(s.elements[:cap(s.elements)])
	if s.cache != nil {
		clear(s.cache.slots)
	}
	s.lists.Reset()
	*s = scope{scanned: scanned{found: s.found, lists: s.lists}, elements: s.elements[:0], cache: s.cache}
}

// value and truth are compiled expressions. They are total: they return a value
// for any event and panic only with OverBudget.
type (
	value func(*scope) event.Value
	truth func(*scope) bool
)

// expression is one compiled expression.
type expression struct {
	source string
	node   ast.Node
	eval   value
	test   truth // eval as a condition
}

// problem is an error or a warning about an expression.
type problem struct {
	at      int // characters from the beginning of the expression
	message string
	warning bool
	once    bool // report the same message once in a rule
	ofTypes bool // follows from the samples and the schema: an error if types are strict

	subject string // the field, or the event type, that no sample has
	near    string // what it is probably; empty: unknown
}

// compiler turns a syntax tree of expr's parser into closures. It does not use
// expr's own evaluation, which fails on a missing field or a wrong type.
type compiler struct {
	vars     event.Value
	zone     *time.Location
	problems []problem
	paths    [][]string // of the event, that are read
	usedVars []string   // that are read; "": all
	depth    int        // nested predicates
	memoized bool       // inside an expression that is evaluated once
	nextSlot *int       // shared by all compilers of a set

	check   func(expression) []problem // looks at each expression that compiles; nil: nothing does
	scanner *event.Scanner             // finds the values of events that are not decoded; nil: they are
	object  *object                    // of a Template; nil: the expressions read events
}

// compile parses and checks source. The expression can be evaluated if
// c.problems has no error.
func (c *compiler) compile(source string) expression {
	node, err := tree.Parse(source)
	if err != nil {
		at := 0
		if e, ok := errors.AsType[*tree.Error](err); ok {
			at = e.At
		}
		c.problems = append(c.problems, problem{at: at, message: err.Error()})
		return expression{source: source, eval: constant(event.Value{}), test: func(*scope) bool { return false }}
	}
	before := len(c.problems)
	e := expression{source: source, node: node}
	if isTest(node) {
		e.test = c.condition(node)
		e.eval = e.test.value
	} else {
		e.eval = c.value(node)
		e.test = e.eval.truth
	}
	isError := func(p problem) bool { return !p.warning }
	if c.check != nil && !slices.ContainsFunc(c.problems[before:], isError) {
		c.problems = append(c.problems, c.check(e)...)
	}
	return e
}

func (c *compiler) fault(n ast.Node, format string, args ...any) value {
	c.problems = append(c.problems, problem{at: n.Location().From, message: fmt.Sprintf(format, args...)})
	return constant(event.Value{})
}

func (c *compiler) warn(n ast.Node, format string, args ...any) {
	c.problems = append(c.problems, problem{at: n.Location().From, message: fmt.Sprintf(format, args...), warning: true})
}

func constant(v event.Value) value { return func(*scope) event.Value { return v } }

// value compiles a node. A node in a predicate that does not depend on the
// element is evaluated once per event.
func (c *compiler) value(n ast.Node) value {
	if !c.isOnce(n) {
		return c.node(n)
	}
	c.memoized = true
	eval := c.node(n)
	c.memoized = false
	return c.memoize(eval)
}

func (c *compiler) node(n ast.Node) value {
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
		when := c.condition(n.Cond)
		yes, no := c.value(n.Exp1), c.value(n.Exp2)
		return func(s *scope) event.Value {
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

func (c *compiler) list(n *ast.ArrayNode) value {
	elements := make([]value, len(n.Nodes))
	for i, e := range n.Nodes {
		elements[i] = c.value(e)
	}
	if tree.IsConstant(n) {
		list := make([]event.Value, len(elements))
		for i, e := range elements {
			list[i] = e(nil)
		}
		return constant(event.ArrayValue(list))
	}
	return func(s *scope) event.Value {
		s.Spend(calc.NewElement * len(elements))
		out := make([]event.Value, len(elements))
		for i, e := range elements {
			out[i] = e(s)
		}
		return event.ArrayValue(out)
	}
}

func (c *compiler) unary(n *ast.UnaryNode) value {
	switch n.Operator {
	case "not", "!":
		return c.test(n).value
	case "-":
		eval := c.value(n.Node)
		return func(s *scope) event.Value { v := eval(s); s.SpendRead(v); return calc.Negative(calc.AsNumber(v)) }
	case "+":
		eval := c.value(n.Node)
		return func(s *scope) event.Value { v := eval(s); s.SpendRead(v); return calc.AsNumber(v) }
	}
	return c.fault(n, "the operator %s is not supported", n.Operator)
}

func (c *compiler) binary(n *ast.BinaryNode) value {
	if isTest(n) {
		return c.test(n).value
	}
	if slices.Contains([]string{"..", "**", "^"}, n.Operator) {
		return c.fault(n, "the operator %s is not supported; the operators are %s", n.Operator, strings.Join(tree.Operators, " "))
	}
	a, b := c.value(n.Left), c.value(n.Right)
	switch n.Operator {
	case "??":
		return func(s *scope) event.Value {
			if v := a(s); !calc.IsAbsent(v) {
				return v
			}
			return b(s)
		}
	case "+":
		joined := isText(n, c.vars)
		return func(s *scope) event.Value { return s.Add(a(s), b(s), joined) }
	case "-", "*", "/", "%":
		operator := n.Operator
		return func(s *scope) event.Value { return calc.Arithmetic(operator, s.Number(a(s)), s.Number(b(s))) }
	}
	return c.fault(n, "the operator %s is not supported; the operators are %s", n.Operator, strings.Join(tree.Operators, " "))
}
