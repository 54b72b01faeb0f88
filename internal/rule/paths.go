package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
)

// optional are documented members that no sample has.
var optional = []string{"reconciliation", "trace_id", "timestamp"}

// unknownPath returns a warning for a path that no sample has; empty: a sample has
// it, or a topic has no samples.
func (ex *examples) unknownPath(path []string) string {
	if len(path) == 0 || len(path) == 1 && slices.Contains(optional, path[0]) || !ex.complete {
		return ""
	}
	var candidates []string
	parent := path[:len(path)-1]
	for _, in := range ex.list {
		for _, v := range walk(in.scope.ev.Doc, parent) {
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
	return fmt.Sprintf("%s is in no sample of %s", whole, joinTopics(ex.topics))
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
