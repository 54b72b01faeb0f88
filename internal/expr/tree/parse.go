// Package tree answers questions about the syntax trees of expressions: what a node
// depends on, what it joins, and how it is written. It evaluates nothing. Start reading at
// Parse.
package tree

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/algotrade/notifier/internal/duration"
)

// Parse parses an expression; null is another word for nil. Its error is an *Error.
func Parse(source string) (ast.Node, error) {
	parsed, err := parser.Parse(source)
	if err != nil {
		return nil, explain(source, err)
	}
	ast.Walk(&parsed.Node, nullVisitor{})
	return parsed.Node, nil
}

type nullVisitor struct{}

func (nullVisitor) Visit(n *ast.Node) {
	if name, ok := (*n).(*ast.IdentifierNode); ok && name.Value == "null" {
		ast.Patch(n, &ast.NilNode{})
	}
}

// Error is a syntax error in plain words.
type Error struct {
	At      int // characters from the beginning of the expression
	message string
}

func (e *Error) Error() string { return e.message }

var token = regexp.MustCompile(`^unexpected token (\w+)\("(.*)"\)$`)

// explain returns an error of the parser in plain words.
func explain(source string, err error) *Error {
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
	case m != nil && slices.Contains(Operators, strings.ToLower(m[2])):
		message = fmt.Sprintf("unexpected %q: write %s", m[2], strings.ToLower(m[2]))
	case m != nil:
		message = fmt.Sprintf("unexpected %q", m[2])
	}
	return &Error{at, message}
}
