package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
)

// parse parses an expression; null is another word for nil.
func parse(source string) (*parser.Tree, error) {
	tree, err := parser.Parse(source)
	if err == nil {
		ast.Walk(&tree.Node, nullVisitor{})
	}
	return tree, err
}

type nullVisitor struct{}

func (nullVisitor) Visit(n *ast.Node) {
	if name, ok := (*n).(*ast.IdentifierNode); ok && name.Value == "null" {
		ast.Patch(n, &ast.NilNode{})
	}
}

var token = regexp.MustCompile(`^unexpected token (\w+)\("(.*)"\)$`)

// syntax reports a syntax error in plain words.
func (c *compiler) syntax(source string, err error) {
	at, message := 0, err.Error()
	if e, ok := err.(*file.Error); ok {
		at, message = e.From, e.Message
	}
	switch m := token.FindStringSubmatch(message); {
	case strings.TrimSpace(source) == "":
		message = "the expression is empty"
	case strings.HasSuffix(message, "exceeds maximum allowed nodes"):
		at, message = 0, "the expression is too long: write texts as a list (event.x in [\"a\", \"b\"]), or several rules"
	case strings.HasPrefix(message, "unexpected token EOF"), strings.HasPrefix(message, "unexpected end"):
		message = "the expression is incomplete"
	case strings.HasPrefix(message, "invalid integer literal"):
		message = `the number is beyond 2^63: write it in quotes, such as "12345678901234567890"`
	case m != nil && m[2] == "=":
		message = `use == to compare, not =`
	case strings.HasPrefix(message, "bad number syntax: "):
		text := strings.Trim(strings.TrimPrefix(message, "bad number syntax: "), `"`)
		if d, err := duration.Parse(text); err == nil {
			message = fmt.Sprintf("durations are numbers of seconds: write %v for %s", d.Seconds(), text)
		}
	case m != nil && slices.Contains(operators, strings.ToLower(m[2])):
		message = fmt.Sprintf("unexpected %q: write %s", m[2], strings.ToLower(m[2]))
	case m != nil:
		message = fmt.Sprintf("unexpected %q", m[2])
	}
	c.problems = append(c.problems, problem{at: at, message: message})
}

// textFunctions return a text or nothing.
var textFunctions = []string{"ago", "clock", "join", "lower", "money", "pct", "qty", "trim", "upper"}

// isText reports whether a node is a text that is no number, for every event: a
// literal, a variable, the result of a text function, or one of these plus something.
func (c *compiler) isText(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ChainNode:
		return c.isText(n.Node)
	case *ast.ConditionalNode:
		return c.isText(n.Exp1) && c.isText(n.Exp2)
	case *ast.BinaryNode:
		return n.Operator == "+" && (c.isText(n.Left) || c.isText(n.Right))
	case *ast.BuiltinNode:
		return slices.Contains(textFunctions, n.Name)
	case *ast.CallNode:
		name, ok := n.Callee.(*ast.IdentifierNode)
		return ok && slices.Contains(textFunctions, name.Value)
	}
	if !isConstant(n) {
		return false
	}
	v := (&compiler{vars: c.vars}).value(n)(nil)
	_, isNumber := calc.Number(v)
	return v.Kind() == event.String && !isNumber
}
