package rule

import (
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/lint"
	"github.com/algotrade/notifier/internal/rulesfile"
)

// clear compiles the clear of a rule.
func (b *builder) clear(e *rulesfile.Entry, r *rule) {
	if e.Clear == nil {
		return
	}
	c := &clearing{when: b.expression(*e.Clear, b.examples(r.topics, nil, lint.ForCondition)), remind: e.Remind, channels: r.everyChannel()}
	r.clear = c
	c.id = r.name + " to " + strings.Join(c.channels, " ")
	if r.when.Node == nil || c.when.Node == nil {
		return // reported
	}
	if r.when.Node.String() == c.when.Node.String() {
		b.fault(e.Clear.Pos, "is the same as when: write what is true when the alert is over")
		return
	}
	fires, clears := b.examples(r.topics, nil, lint.ForCondition).List, 0
	var both []string
	for _, in := range fires {
		switch {
		case !in.Eval(c.when.Eval).Bool():
		case in.Eval(r.when.Eval).Bool():
			both = append(both, in.Name)
		default:
			clears++
		}
	}
	switch {
	case len(both) == 0 && b.checker(&examples{}).Implies(c.when.Node, r.when.Node):
		b.fault(e.Clear.Pos, "is true only for events for which when is true: nothing ends")
		return
	case len(both) == 0:
	case clears == 0:
		b.fault(e.Clear.Pos, "is true only for events for which when is true, such as the sample %s: nothing ends", both[0])
	default:
		b.warn(e.Clear.Pos, "is true for the sample %s, as when is: it raises the alert", both[0])
	}
	b.clearedKey(e, r)
}

// Clears reports whether there is a rule with this name, with clear.
func (s *Set) Clears(name string) bool { return s.byName[name] != nil && s.byName[name].clear != nil }

// clearedKey warns of a part of the key that the events with clear do not have: they would
// end nothing.
func (b *builder) clearedKey(e *rulesfile.Entry, r *rule) {
	var firing, clearing []lint.Instance
	for _, in := range b.examples(r.topics, nil, lint.ForKey).List {
		switch {
		case in.Eval(r.when.Eval).Bool():
			firing = append(firing, in)
		case in.Eval(r.clear.when.Eval).Bool():
			clearing = append(clearing, in)
		}
	}
	for i, k := range r.key {
		has := func(in lint.Instance) bool { return !isAbsentOrEmpty(in.Eval(k.Eval)) }
		if len(clearing) > 0 && slices.ContainsFunc(firing, has) && !slices.ContainsFunc(clearing, has) {
			b.warn(e.Key[i].Pos, "%s is missing in the events with clear, such as the sample %s: they end nothing, since their key is another", k.Source, clearing[0].Name)
		}
	}
}

func isAbsentOrEmpty(v event.Value) bool {
	return calc.IsAbsent(v) || v.Kind() == event.String && v.Text() == ""
}
