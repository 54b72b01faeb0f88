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

// optional are documented members that no sample has.
var optional = []string{"reconciliation", "trace_id", "timestamp"}

// unknownPath returns a warning for a path that no sample of the topics has;
// empty: a sample has it, or there are no samples.
func (b *builder) unknownPath(path []string, sources []topics.Name) string {
	if len(path) == 0 || len(path) == 1 && slices.Contains(optional, path[0]) || len(b.env.Samples) == 0 {
		return ""
	}
	var candidates []string
	parent := path[:len(path)-1]
	for _, s := range b.env.Samples {
		if !slices.Contains(sources, topics.Name(s.Event.Record.Topic)) {
			continue
		}
		for _, v := range walk(s.Event.Doc, parent) {
			if len(walk(v, path[len(parent):])) > 0 {
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
		return "" // the list itself is reported
	}
	name := path[len(path)-1]
	whole := "event." + strings.ReplaceAll(strings.Join(path, "."), ".[]", "[]")
	if s := suggest.Closest(name, candidates); s != "" {
		return fmt.Sprintf("%s is in no sample: did you mean %s?", whole, s)
	}
	return fmt.Sprintf("%s is in no sample of %s", whole, joinTopics(sources))
}

func joinTopics(names []topics.Name) string {
	texts := make([]string, len(names))
	for i, t := range names {
		texts[i] = string(t)
	}
	return strings.Join(texts, ", ")
}

// walk returns the values at a path; "[]" in the path is every element of a list.
func walk(v event.Value, path []string) []event.Value {
	values := []event.Value{v}
	for _, name := range path {
		var next []event.Value
		for _, v := range values {
			if name == "[]" {
				for i := range v.Len() {
					next = append(next, v.At(i))
				}
			} else if m := v.Get(name); m.Kind() != event.Missing {
				next = append(next, m)
			}
		}
		values = next
	}
	return values
}

// checkTemplates warns of a hole that is empty in every sample that the rule matches.
func (b *builder) checkTemplates(e *entry, r *rule) {
	var matched []*scope
	for _, s := range b.env.Samples {
		sc := &scope{ev: &s.Event, now: s.Event.Time}
		if slices.Contains(r.topics, topics.Name(s.Event.Record.Topic)) && r.when.test(sc) {
			matched = append(matched, sc)
		}
	}
	if len(matched) == 0 {
		return
	}
	check := func(pos yamldoc.Pos, t template) {
		for _, seg := range t {
			if seg.hole == nil || slices.ContainsFunc(matched, func(sc *scope) bool { return display(seg.hole.eval(sc)) != missing }) {
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
