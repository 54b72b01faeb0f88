package event

import (
	"fmt"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/instant"
)

// text returns the first string or number at the paths, else the attribute of the
// CloudEvent, else "". Null is skipped; other values are skipped and counted once.
func (d *Decoder) text(e *Event, paths [][]string, field string) string {
	skipped := false
	for _, path := range paths {
		v := e.Doc.Lookup(path...)
		switch {
		case v.IsNil():
		case v.Kind() == Number, v.Kind() == String && !blank(v.Text()):
			return v.Text()
		case !skipped:
			skipped = true
			d.repairs.add(e, "event-"+field, fmt.Sprintf("%s in %s is not usable as the event's %s", shown(v), strings.Join(path, "."), field))
		}
	}
	return e.CE.Get(field).Text()
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// shown describes a value that is not usable.
func shown(v Value) string {
	switch text := v.Text(); {
	case v.Kind() == String && blank(text):
		return "an empty string"
	case v.Kind() == Number, v.Kind() == String && len(text) <= longestTime:
		return fmt.Sprintf("%q", text)
	case v.Kind() == String:
		return "a long string"
	}
	return v.Kind().String()
}

// setTime sets the event's time. Null is skipped; values that are no time or
// implausible are skipped and counted once per event, as is an implausible record
// timestamp.
func (d *Decoder) setTime(e *Event, paths [][]string) {
	arrived, recorded := e.Record.Arrived, e.Record.Time
	if arrived.IsZero() {
		arrived = time.Now()
	}
	if !recorded.IsZero() && !instant.Plausible(recorded, arrived) {
		d.repairs.add(e, repairedRecord, "implausible record timestamp "+recorded.UTC().Format(time.RFC3339)+": send milliseconds since 1970")
		recorded = time.Time{}
	}
	skipped := false
	candidate := func(v Value, path ...string) bool {
		if v.IsNil() {
			return false
		}
		t, ok := readTime(v)
		if ok && instant.PlausibleEvent(t, recorded, arrived) {
			e.Time = t
			return true
		}
		if !skipped {
			skipped = true
			what := "unreadable"
			if ok {
				what = "implausible"
			}
			d.repairs.add(e, repairedTime, fmt.Sprintf("%s time %s in %s", what, shown(v), strings.Join(path, ".")))
		}
		return false
	}
	for _, path := range paths {
		if candidate(e.Doc.Lookup(path...), path...) {
			return
		}
	}
	if !candidate(e.CE.Get("time"), "the CloudEvent's time") {
		e.Time = instant.First(arrived, recorded)
	}
}
