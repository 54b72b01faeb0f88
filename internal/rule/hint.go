package rule

import (
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/trace"
	"github.com/algotrade/notifier/internal/suggest"
)

// hint says of a path that the event does not have what was probably meant: the samples of
// the topic tell.
func hint(ev *event.Event, samples []Sample, names []string) string {
	var known []string
	var of *Sample // that has it, of the event's type if there is one
	for i := range samples {
		s := &samples[i]
		if s.Event.Record.Topic != ev.Record.Topic {
			continue
		}
		if s.Event.Doc.Lookup(names...).Kind() != event.Missing && (of == nil || of.Event.Type != ev.Type && s.Event.Type == ev.Type) {
			of = s
		}
		known = memberNames(known, s.Event.Doc, names)
	}
	if of != nil {
		v := trace.NewValue("", of.Event.Doc.Lookup(names...))
		if v.Text == "" {
			v.Text = "it"
		}
		return "the sample " + of.Name + " has " + v.Text + ", " + v.Type
	}
	known = memberNames(known, ev.Doc, names)
	last := len(names) - 1
	if near := suggest.Closest(names[last], known); near != "" {
		return "did you mean event." + strings.Join(append(slices.Clone(names[:last]), near), ".") + "?"
	}
	if len(samples) > 0 {
		return "no sample has it"
	}
	return ""
}

// memberNames adds the names that a document has where a path has its last one.
func memberNames(known []string, doc event.Value, path []string) []string {
	parent := doc.Lookup(path[:len(path)-1]...)
	for i := range parent.Len() {
		if parent.Kind() == event.Object {
			known = appendNew(known, parent.At(i).Name())
		}
	}
	return known
}
