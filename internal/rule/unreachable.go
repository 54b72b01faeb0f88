package rule

import (
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/tree"
	"github.com/algotrade/notifier/internal/rulesfile"
	"github.com/algotrade/notifier/internal/topics"
)

// unreachable warns of a rule whose when and where are never both true on a topic.
func (b *builder) unreachable(e *rulesfile.Entry, r *rule, where *expr.Expression, topic topics.Name) {
	if where == nil || r.where != nil && topic != r.topics[0] {
		return
	}
	of, other, ok := b.checker(&examples{}).Exclusive(r.when.Node, where.Node)
	switch {
	case !ok:
	case r.where != nil:
		b.warn(e.Where.Pos, "%s and %s of when are never both true: remove one", tree.Source(other), tree.Source(of))
	default:
		b.warn(e.When.Pos, "no event of %s matches: %s and the topic's default where %s are never both true; write where: true to disable it in this rule",
			topic, tree.Source(of), tree.Source(other))
	}
}
