package rule

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
)

// matches takes a constant pattern only: it is compiled once, and Go's regular
// expressions (RE2) run in linear time.
func (c *compiler) matches(n *ast.BinaryNode) value {
	of := c.value(n.Left)
	pattern, ok := n.Right.(*ast.StringNode)
	if !ok {
		return c.fault(n.Right, "the pattern of matches must be written out as a text")
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		return c.fault(n.Right, "not a regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	cost := patternCost(pattern.Value)
	return func(s *scope) event.Value {
		v := of(s)
		if v.Kind() != event.String {
			return event.BoolValue(false)
		}
		s.spend(len(v.Text()) * cost)
		return event.BoolValue(re.MatchString(v.Text()))
	}
}

// patternCost is how many steps a byte of text counts in a regular expression
// that compiles: RE2 follows all its instructions at once, at worst, for each
// byte.
func patternCost(pattern string) int {
	cost := 2
	if parsed, err := syntax.Parse(pattern, syntax.Perl); err == nil {
		if program, err := syntax.Compile(parsed.Simplify()); err == nil {
			cost += len(program.Inst) / 8
		}
	}
	return cost
}
