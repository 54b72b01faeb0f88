package rule

import (
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/tree"
)

// pins returns a path and texts if the condition is false for every other text,
// and evaluating it then reads only that path; else nil.
func pins(c *expr.Compiler, n ast.Node) (path, texts []string) {
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		return nil, nil
	}
	switch b.Operator {
	case "and", "&&":
		return pins(c, b.Left)
	case "or", "||":
		path, texts = pins(c, b.Left)
		if other, more := pins(c, b.Right); slices.Equal(path, other) {
			return path, append(texts, more...)
		}
	case "==", "in":
		names, base, rest := tree.Unfold(b.Left)
		if root, ok := base.(*ast.IdentifierNode); !ok || root.Value != "event" || len(names) == 0 || rest != nil || !tree.IsConstant(b.Right) {
			return nil, nil
		}
		list := c.Value(b.Right)(nil)
		if b.Operator == "==" {
			list = event.ArrayValue([]event.Value{list})
		}
		for i := range list.Len() {
			v := list.At(i)
			if list.Kind() != event.Array || v.Kind() != event.String {
				return nil, nil
			}
			texts = append(texts, v.Text())
		}
		if texts != nil {
			return names, texts
		}
	}
	return nil, nil
}
