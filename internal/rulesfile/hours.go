package rulesfile

import (
	"slices"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/calendar"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// calendarEntry is a calendar of the file.
type calendarEntry struct {
	calendar.Calendar
	At yamldoc.Cursor
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (c *calendarEntry) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	c.At = at
	c.Calendar.UnmarshalYAMLDoc(at)
}

// Quiet is the quiet hours of a route: what becomes of the alerts of some severities.
type Quiet struct {
	// During is the calendar of the quiet hours.
	During Reference `yaml:"during"`
	// Severity are the severities that are quiet.
	Severity []Reference `yaml:"severity"`
	// Do is what becomes of the alerts: reroute, they go to other channels; drop, they go
	// to nobody, but are counted and told in a summary.
	Do Reference `yaml:"do"`
	// To are the channels that get the alerts instead, with reroute.
	To []Reference `yaml:"to"`

	At yamldoc.Cursor
}

// What quiet hours do with alerts.
const (
	Reroute = "reroute" // they go to other channels
	Drop    = "drop"    // they go to nobody, but are counted and told in a summary
)

// CheckYAML implements yamldoc.Checker.
func (q *Quiet) CheckYAML(at yamldoc.Cursor) {
	q.At = at
	if !at.IsMapping() && !at.IsNull() {
		return // reported by the decoder
	}
	for _, key := range []string{"during", "severity", "do"} {
		if !at.Has(key) {
			at.Field(key).Fault("is missing")
		}
	}
}

// Covers reports whether the quiet hours concern a severity.
func (q *Quiet) Covers(s alert.Severity) bool {
	return slices.ContainsFunc(q.Severity, func(ref Reference) bool { return ref.Name == string(s) })
}

// Channels returns the channels that get alerts instead.
func (q *Quiet) Channels() []string {
	names := make([]string, len(q.To))
	for i, ref := range q.To {
		names[i] = ref.Name
	}
	return names
}
