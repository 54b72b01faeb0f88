package expr

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
)

// matches compiles a regular expression (RE2, linear time). The pattern must be a literal.
func (c *Compiler) matches(n *ast.BinaryNode) Truth {
	eval := c.Value(n.Left)
	pattern, ok := n.Right.(*ast.StringNode)
	if !ok {
		return c.fault(n.Right, "the pattern of matches must be a string literal").truth
	}
	re, err := regexp.Compile(pattern.Value)
	if err != nil {
		return c.fault(n.Right, "invalid regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: ")).truth
	}
	cost := patternCost(pattern.Value)
	return func(s *Scope) bool {
		v := eval(s)
		if v.Kind() != event.String {
			return false
		}
		s.Spend(len(v.Text()) * cost)
		return re.MatchString(v.Text())
	}
}

// patternCost returns the steps per byte of text. In the worst case RE2 runs
// every instruction of the pattern for each byte.
func patternCost(pattern string) int {
	cost := 2
	if parsed, err := syntax.Parse(pattern, syntax.Perl); err == nil {
		if program, err := syntax.Compile(parsed.Simplify()); err == nil {
			cost += len(program.Inst) / 8
		}
	}
	return cost
}
