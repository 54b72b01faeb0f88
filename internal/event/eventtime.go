package event

import (
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/instant"
)

// setTime sets the event's time. Implausible candidates are skipped and counted
// once per event, as is an implausible record timestamp.
func (d *Decoder) setTime(e *Event, paths [][]string) {
	arrived, recorded := e.Record.Arrived, e.Record.Time
	if arrived.IsZero() {
		arrived = time.Now()
	}
	skipped := false
	candidate := func(v Value, name func() string) bool {
		t, ok := readTime(v)
		if !ok {
			return false
		}
		if instant.Plausible(t, arrived) {
			e.Time = t
			return true
		}
		if !skipped {
			skipped = true
			d.addRepair(e, repairedTime, "implausible time "+v.Text()+" in "+name())
		}
		return false
	}
	if !recorded.IsZero() && !instant.Plausible(recorded, arrived) {
		d.addRepair(e, repairedRecord, "implausible record timestamp "+recorded.UTC().Format(time.RFC3339)+": send milliseconds since 1970")
		recorded = time.Time{}
	}
	for _, path := range paths {
		if candidate(e.Doc.Lookup(path...), func() string { return strings.Join(path, ".") }) {
			return
		}
	}
	if candidate(e.CE.Get("time"), func() string { return "the CloudEvent's time" }) {
		return
	}
	e.Time = instant.First(arrived, recorded)
}

// addRepair counts a tolerated mistake; the event keeps the text of the first.
func (d *Decoder) addRepair(e *Event, repair, what string) {
	d.repairs.WithLabelValues(e.Record.Topic, repair).Inc()
	if e.Repaired == "" {
		e.Repaired = what
	}
}
