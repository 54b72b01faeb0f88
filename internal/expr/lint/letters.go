package lint

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// letters warns of a contains, startsWith, endsWith or matches that is true for no
// sample, but would be if case did not matter. It reports whether it does.
func (c *Checker) letters(n *ast.BinaryNode, seen []string) bool {
	constants := c.literals(n.Right)
	if len(constants) != 1 {
		return false
	}
	text := constants[0].value
	holds := anyCase(n.Operator, text)
	for _, s := range seen {
		if !holds(s) {
			continue
		}
		written := "lower(" + tree.Source(n.Left) + ") " + n.Operator + " " + strconv.Quote(strings.ToLower(text))
		if n.Operator == "matches" {
			written = n.Operator + " " + strconv.Quote("(?i)"+text)
		} else if name, ok := tree.Callee(n.Left); ok && name == "lower" {
			written = strconv.Quote(strings.ToLower(text))
		} else if ok && name == "upper" {
			written = strconv.Quote(strings.ToUpper(text))
		}
		c.warnType(n, "%s is true for no sample: %s is %s, and case matters; write %s", tree.Source(n), tree.Source(n.Left), tree.Quote(event.StringValue(s)), written)
		return true
	}
	return false
}

// anyCase returns an operator with a constant text as if case did not matter. A text is
// contained as a whole word only: API is in capital by accident.
func anyCase(operator, text string) func(s string) bool {
	folded := strings.ToLower(text)
	switch operator {
	case "startsWith":
		return func(s string) bool { return strings.HasPrefix(strings.ToLower(s), folded) }
	case "endsWith":
		return func(s string) bool { return strings.HasSuffix(strings.ToLower(s), folded) }
	case "contains":
		return func(s string) bool {
			before, after, found := strings.Cut(strings.ToLower(s), folded)
			last, _ := utf8.DecodeLastRuneInString(before)
			first, _ := utf8.DecodeRuneInString(after)
			return found && folded != "" && !unicode.IsLetter(last) && !unicode.IsLetter(first)
		}
	}
	if re, err := regexp.Compile("(?i)" + text); err == nil && !namesCase(text) {
		return re.MatchString
	}
	return func(string) bool { return false }
}

// namesCase reports whether a pattern has a class with letters of one case, such as
// [A-Z]: its author knows that case matters.
func namesCase(pattern string) bool {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	return err != nil || hasCase(parsed)
}

func hasCase(re *syntax.Regexp) bool {
	if re.Op == syntax.OpCharClass {
		in := func(r rune) bool {
			for i := 0; i+1 < len(re.Rune); i += 2 {
				if re.Rune[i] <= r && r <= re.Rune[i+1] {
					return true
				}
			}
			return false
		}
		for r := 'a'; r <= 'z'; r++ {
			if in(r) != in(unicode.ToUpper(r)) {
				return true
			}
		}
	}
	for _, sub := range re.Sub {
		if hasCase(sub) {
			return true
		}
	}
	return false
}
