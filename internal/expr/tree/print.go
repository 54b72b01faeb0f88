package tree

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
)

// Quote prints a value as an expression does.
func Quote(v event.Value) string {
	text := v.Text()
	switch v.Kind() {
	case event.Bool:
		return strconv.FormatBool(v.Bool())
	case event.Number:
		return text
	}
	return strconv.Quote(Shorten(text))
}

// Source returns an expression as it could be written.
func Source(n ast.Node) string {
	if not, ok := n.(*ast.UnaryNode); ok {
		if in, ok := not.Node.(*ast.BinaryNode); ok && in.Operator == "in" {
			return Source(in.Left) + " not in " + Source(in.Right)
		}
	}
	return Shorten(strings.ReplaceAll(plainNumbers(n, n.String()), "#.", "."))
}

// plainNumbers returns the text of a node with its amounts written out: 1250000.5, not
// 1.2500005e+06.
func plainNumbers(n ast.Node, text string) string {
	if f, ok := n.(*ast.FloatNode); ok && math.Abs(f.Value) < 1e21 && strings.Contains(f.String(), "e") {
		text = strings.ReplaceAll(text, f.String(), strconv.FormatFloat(f.Value, 'f', -1, 64))
	}
	for _, child := range Children(n) {
		text = plainNumbers(child, text)
	}
	return text
}

// Shorten returns at most 60 characters of a text.
func Shorten(text string) string {
	const longest = 60
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// OneLine returns a text with single spaces between its words.
func OneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Span returns where a node stands in its source. The parser notes where tokens are, so
// that brackets around and behind them have to be found.
func Span(n ast.Node, source []rune) (start, end int) {
	start, end = len(source), 0
	var widen func(ast.Node)
	widen = func(n ast.Node) {
		if at := n.Location(); at.To > at.From {
			start, end = min(start, at.From), max(end, at.To)
		}
		for _, child := range Children(n) {
			widen(child)
		}
	}
	widen(n)
	if end = min(end, len(source)); start >= end {
		return 0, len(source)
	}
	missing, open := unbalanced(source[start:end])
	for ; missing > 0 && start > 0; start-- {
		if slices.Contains([]rune("([{"), source[start-1]) {
			missing--
		}
	}
	for ; open > 0 && end < len(source); end++ {
		if _, still := unbalanced(source[start : end+1]); still == 0 {
			open = 0
		}
	}
	return start, end
}

// unbalanced returns how many brackets of a text are closed and not opened, and opened and
// not closed. Those in texts do not count.
func unbalanced(source []rune) (missing, open int) {
	quoted := rune(0)
	for i := 0; i < len(source); i++ {
		switch r := source[i]; {
		case quoted != 0:
			if r == '\\' && quoted != '`' {
				i++
			} else if r == quoted {
				quoted = 0
			}
		case slices.Contains([]rune("\"'`"), r):
			quoted = r
		case slices.Contains([]rune("([{"), r):
			open++
		case slices.Contains([]rune(")]}"), r):
			if open--; open < 0 {
				missing, open = missing+1, 0
			}
		}
	}
	return missing, open
}
