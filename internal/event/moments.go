package event

import (
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/instant"
)

// date sets when the event happened. A candidate that no event can have is
// skipped and counted, once for each event, as is the record's timestamp.
func (d *Decoder) date(e *Event, paths [][]string) {
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
			d.repaired(e, repairedTime, name()+" is "+v.Text()+", which is no time of an event")
		}
		return false
	}
	if !recorded.IsZero() && !instant.Plausible(recorded, arrived) {
		d.repaired(e, repairedRecord, "the record's timestamp is "+recorded.UTC().Format(time.RFC3339)+": it counts milliseconds since 1970")
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

// repaired counts a tolerated mistake; the first is told.
func (d *Decoder) repaired(e *Event, repair, what string) {
	d.repairs.WithLabelValues(e.Record.Topic, repair).Inc()
	if e.Repaired == "" {
		e.Repaired = what
	}
}
