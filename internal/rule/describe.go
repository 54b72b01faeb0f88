package rule

import (
	"math"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
)

// describe says of which type a node is, with an example.
func (c *compiler) describe(n ast.Node, v event.Value, at []instance) string {
	kind := map[event.Kind]string{event.Bool: "a boolean", event.Number: "a number", event.String: "a text", event.Array: "a list", event.Object: "an object"}[v.Kind()]
	text := source(n) + " is " + kind
	where := ""
	if !isConstant(n) {
		where = c.place(n, at)
		text += " " + where
	}
	if v.Kind() < event.Array && source(n) != quote(v) && where != inSchema {
		text += ", such as " + quote(v)
	}
	return text
}

// quote prints a value as an expression does.
func quote(v event.Value) string {
	text := v.Text()
	switch v.Kind() {
	case event.Bool:
		return strconv.FormatBool(v.Bool())
	case event.Number:
		return text
	}
	return strconv.Quote(shorten(text))
}

// source returns an expression as it could be written.
func source(n ast.Node) string {
	if not, ok := n.(*ast.UnaryNode); ok {
		if in, ok := not.Node.(*ast.BinaryNode); ok && in.Operator == "in" {
			return source(in.Left) + " not in " + source(in.Right)
		}
	}
	return shorten(strings.ReplaceAll(plainNumbers(n, n.String()), "#.", "."))
}

// plainNumbers returns the text of a node with its amounts written out: 1250000.5, not
// 1.2500005e+06.
func plainNumbers(n ast.Node, text string) string {
	if f, ok := n.(*ast.FloatNode); ok && math.Abs(f.Value) < 1e21 && strings.Contains(f.String(), "e") {
		text = strings.ReplaceAll(text, f.String(), strconv.FormatFloat(f.Value, 'f', -1, 64))
	}
	for _, child := range children(n) {
		text = plainNumbers(child, text)
	}
	return text
}

func shorten(text string) string {
	const longest = 60
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
