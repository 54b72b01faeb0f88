package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/tree"
	"github.com/algotrade/notifier/internal/suggest"
)

// warnType warns of a fault that follows from the samples and the schema.
func (c *Checker) warnType(n ast.Node, format string, args ...any) {
	c.warn(n, format, args...)
	c.problems[len(c.problems)-1].OfTypes = true
}

// listed returns the texts that the schemas of all topics allow for a field; nil: a
// topic has no schema that lists them, or the node is no field.
func (c *Checker) listed(field ast.Node) []string {
	names, base, rest := tree.Unfold(field)
	if root, ok := base.(*ast.IdentifierNode); !ok || root.Value != "event" || len(names) == 0 || rest != nil {
		return nil
	}
	var all []string
	for _, s := range c.Examples.Schemas {
		if s == nil {
			return nil
		}
		texts := s.Texts(names...)
		if texts == nil {
			return nil
		}
		all = append(all, texts...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unlisted warns of constant texts that a field never has, according to the schema.
func (c *Checker) unlisted(constants, field ast.Node, listed []string) {
	for _, text := range c.literals(constants) {
		if slices.Contains(listed, text.value) {
			continue
		}
		names := strings.Join(listed[:min(len(listed), namedTexts)], ", ")
		if more := len(listed) - namedTexts; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		message := fmt.Sprintf("%q is none of the values of %s in the schema: ", text.value, tree.Source(field))
		if near := suggest.Closest(text.value, listed); near != "" {
			message += fmt.Sprintf("did you mean %q?", near)
		} else {
			message += names
		}
		c.warnType(text.node, "%s", message)
	}
}

// namedTexts is the number of texts of a schema that a warning names.
const namedTexts = 8

// Where values are known from.
const inSamples, inSchema = "in the samples", "in the schema"

// place says where values of a node are known from.
func (c *Checker) place(n ast.Node, at []Instance) string {
	if !c.Examples.Described {
		return inSamples
	}
	for i, v := range c.observe(n, at) {
		if !calc.IsAbsent(v) && !at[i].OfSchema {
			return inSamples
		}
	}
	return inSchema
}
