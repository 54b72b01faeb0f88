package event

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/instant"
)

// text returns the first string or number at the paths, else the attribute of the
// CloudEvent, else "". Null is skipped; other values are skipped and counted once.
func (d *Decoder) text(e *Event, paths [][]string, field string) string {
	skipped := "" // the first unusable value
	var found string
	var from []string
	for _, path := range paths {
		v := e.Doc.Lookup(path...)
		if v.Kind() == Number || v.Kind() == String && !blank(v.Text()) {
			found, from = v.Text(), path
			break
		}
		if !v.IsNil() && skipped == "" {
			skipped = fmt.Sprintf("%s is %s, which is no %s", strings.Join(path, "."), shown(v), field)
		}
	}
	if from == nil {
		found = e.CE.Get(field).Text()
	}
	if skipped != "" {
		effect := strings.Join(from, ".") + " is used instead"
		switch {
		case found == "":
			effect = "the event has none"
		case from == nil:
			effect = "the CloudEvent's " + field + " is used instead"
		}
		d.repairs.add(e, "event-"+field, skipped+": "+effect+"; send a string or a number")
	}
	return found
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

// setTime sets the event's time. Null is skipped; values that are no time, a date
// alone, or implausible are skipped and counted once per event, as is an implausible
// record timestamp.
func (d *Decoder) setTime(e *Event, paths [][]string) {
	arrived, recorded := e.Record.Arrived, e.Record.Time
	if arrived.IsZero() {
		arrived = time.Now()
	}
	if !recorded.IsZero() && !instant.Plausible(recorded, arrived) {
		d.repairs.add(e, repairedRecord, "implausible record timestamp "+recorded.UTC().Format(time.RFC3339)+": send milliseconds since 1970")
		recorded = time.Time{}
	}
	skipped := "" // the first unusable value
	candidate := func(v Value, path ...string) bool {
		if v.IsNil() {
			return false
		}
		t, ok := readTime(v)
		plausible := ok && instant.PlausibleEvent(t, recorded, arrived)
		if plausible && !isDate(v) {
			e.Time = t
			return true
		}
		if skipped == "" {
			what := "not a time that is read"
			switch {
			case plausible:
				what = "a date without a time of day"
			case ok:
				what = "an implausible time"
			}
			skipped = fmt.Sprintf("%s is %s, %s", strings.Join(path, "."), shown(v), what)
		}
		return false
	}
	var from []string
	if i := slices.IndexFunc(paths, func(path []string) bool { return candidate(e.Doc.Lookup(path...), path...) }); i >= 0 {
		from = paths[i]
	} else if from = []string{"the CloudEvent's time"}; !candidate(e.CE.Get("time"), from...) {
		from = []string{"the record's timestamp"}
		if e.Time = instant.First(arrived, recorded); !e.Time.Equal(recorded) {
			from = []string{"the time of reading"}
		}
	}
	if skipped != "" {
		d.repairs.add(e, repairedTime, skipped+": "+strings.Join(from, ".")+" is used instead; send RFC 3339, such as 2026-11-29T07:22:49Z, or milliseconds since 1970")
	}
}
