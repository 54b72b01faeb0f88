package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// optional are documented members that no sample shows.
var optional = []string{"reconciliation", "trace_id", "timestamp"}

// unknownPath says what is odd about a path that no sample of these topics
// has; it is empty for a path that one of them has, and without samples.
func (b *builder) unknownPath(path []string, on []topics.Name) string {
	if len(path) == 0 || len(path) == 1 && slices.Contains(optional, path[0]) || len(b.with.Samples) == 0 {
		return ""
	}
	var candidates []string
	parent := path[:len(path)-1]
	for _, s := range b.with.Samples {
		if !slices.Contains(on, topics.Name(s.Event.Record.Topic)) {
			continue
		}
		for _, v := range walk(s.Event.Doc, parent) {
			if walked := walk(v, path[len(parent):]); len(walked) > 0 {
				return ""
			}
			for i := range v.Len() {
				if name := v.At(i).Name(); v.Kind() == event.Object && !slices.Contains(candidates, name) {
					candidates = append(candidates, name)
				}
			}
		}
	}
	if len(parent) > 0 && parent[len(parent)-1] == "[]" && candidates == nil {
		return "" // the list itself is unknown, and reported
	}
	name := path[len(path)-1]
	whole := "event." + strings.ReplaceAll(strings.Join(path, "."), ".[]", "[]")
	if s := suggest.Closest(name, candidates); s != "" {
		return fmt.Sprintf("%s is in no sample: did you mean %s?", whole, s)
	}
	return fmt.Sprintf("%s is in no sample of %s", whole, joinTopics(on))
}

func joinTopics(on []topics.Name) string {
	texts := make([]string, len(on))
	for i, t := range on {
		texts[i] = string(t)
	}
	return strings.Join(texts, ", ")
}

// walk returns the values that a path leads to, several where it passes a
// list's elements.
func walk(v event.Value, path []string) []event.Value {
	at := []event.Value{v}
	for _, name := range path {
		var next []event.Value
		for _, v := range at {
			if name == "[]" {
				for i := range v.Len() {
					next = append(next, v.At(i))
				}
			} else if m := v.Get(name); m.Kind() != event.Missing {
				next = append(next, m)
			}
		}
		at = next
	}
	return at
}

// tryTexts evaluates a rule's holes on the samples it matches: a hole that is
// empty in all of them is probably a mistake.
func (b *builder) tryTexts(e *entry, r *rule) {
	var matched []*scope
	for _, s := range b.with.Samples {
		on := &scope{ev: &s.Event, now: s.Event.Time}
		if slices.Contains(r.topics, topics.Name(s.Event.Record.Topic)) && r.when.test(on) {
			matched = append(matched, on)
		}
	}
	if len(matched) == 0 {
		return
	}
	check := func(pos yamldoc.Pos, t template) {
		for _, seg := range t {
			if seg.hole == nil || slices.ContainsFunc(matched, func(on *scope) bool { return display(seg.hole.eval(on)) != missing }) {
				continue
			}
			b.faults = append(b.faults, yamldoc.NewFault(pos, true,
				fmt.Sprintf("{{ %s }} is empty in every sample that the rule matches", strings.TrimSpace(seg.hole.source))))
		}
	}
	check(e.Title.Pos, r.title)
	check(e.Text.Pos, r.text)
	for i, f := range r.fields {
		check(e.Fields[i].value.Pos, f.value)
	}
}
