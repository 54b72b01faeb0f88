package rule

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/calendar"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// calendarEntry is a calendar of the file.
type calendarEntry struct {
	calendar.Calendar
	at yamldoc.Cursor
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (c *calendarEntry) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	c.at = at
	c.Calendar.UnmarshalYAMLDoc(at)
}

// quiet is the quiet hours of a route: what becomes of the alerts of some severities.
type quiet struct {
	// During is the calendar of the quiet hours.
	During reference `yaml:"during"`
	// Severity are the severities that are quiet.
	Severity []reference `yaml:"severity"`
	// Do is what becomes of the alerts: reroute, they go to other channels; drop, they go
	// to nobody, but are counted and told in a summary.
	Do reference `yaml:"do"`
	// To are the channels that get the alerts instead, with reroute.
	To []reference `yaml:"to"`

	at       yamldoc.Cursor
	calendar calendar.Calendar
}

// What quiet hours do with alerts.
const (
	reroute = "reroute" // they go to other channels
	drop    = "drop"    // they go to nobody, but are counted and told in a summary
)

// CheckYAML implements yamldoc.Checker.
func (q *quiet) CheckYAML(at yamldoc.Cursor) {
	q.at = at
	if !at.IsMapping() && !at.IsNull() {
		return // reported by the decoder
	}
	for _, key := range []string{"during", "severity", "do"} {
		if !at.Has(key) {
			at.Field(key).Fault("is missing")
		}
	}
}

var calendarName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// calendars completes the calendars and checks their names.
func (b *builder) calendars() {
	b.set.calendars = make(map[string]calendar.Calendar)
	for name, c := range b.doc.Calendars {
		if !calendarName.MatchString(name) || len(name) > 64 {
			b.fault(c.at.Pos(), "%q is not a valid name: use lower-case letters, digits and single hyphens, at most 64 characters", name)
		}
		b.set.calendars[name] = c.In(b.doc.Timezone.Location)
	}
}

// calendar returns a calendar of the file, and reports one that it does not have.
func (b *builder) calendar(ref reference) calendar.Calendar {
	if ref.name == "" { // reported by the decoder
		return calendar.Calendar{}
	}
	c, known := b.set.calendars[ref.name]
	b.usedCalendars[ref.name] = true
	switch near := suggest.Closest(ref.name, slices.Sorted(maps.Keys(b.set.calendars))); {
	case known:
	case near != "":
		b.fault(ref.at.Pos(), "unknown calendar %q: did you mean %s?", ref.name, near)
		b.of(yamldoc.UnknownName)
	default:
		b.fault(ref.at.Pos(), "unknown calendar %q: define it under calendars", ref.name)
		b.of(yamldoc.UnknownName)
	}
	return c
}

// quiet checks the quiet hours of a route.
func (b *builder) quiet(name string, r *route) {
	q := r.quiet
	if q == nil {
		return
	}
	q.calendar = b.calendar(q.During)
	for _, ref := range q.Severity {
		severity := alert.Severity(ref.name)
		switch near := suggest.Closest(ref.name, severityNames()); {
		case severity.Rank() == 0 && near != "":
			b.fault(ref.at.Pos(), "%q is not a severity: did you mean %s?", ref.name, near)
		case severity.Rank() == 0:
			b.fault(ref.at.Pos(), "%q is not one of info, warning and critical", ref.name)
		case len(r.severities[severity]) == 0:
			b.fault(ref.at.Pos(), "route %s has no channel for %s: leave it out here", name, severity)
		case severity == alert.Critical && q.Do.name == drop:
			b.fault(ref.at.Pos(), "critical alerts cannot be dropped: leave critical out, or write do: reroute")
		}
	}
	if q.at.Has("severity") && len(q.Severity) == 0 {
		b.fault(q.at.Field("severity").Pos(), "is empty: name the severities that are quiet")
	}
	switch {
	case q.Do.name == reroute && len(q.To) == 0:
		b.fault(q.at.Field("to").Pos(), "is missing: name the channels that get the alerts instead")
	case q.Do.name == drop && q.at.Has("to"):
		b.fault(q.at.Field("to").Pos(), "has no effect: do: drop sends to nobody; write do: reroute, or leave it out")
	case q.Do.name != "" && q.Do.name != reroute && q.Do.name != drop:
		b.fault(q.Do.at.Pos(), "%q is not known: write reroute or drop", q.Do.name)
	}
	for _, ref := range q.To {
		b.channelOf(name, ref)
	}
}

// covers reports whether the quiet hours concern a severity.
func (q *quiet) covers(s alert.Severity) bool {
	return q != nil && slices.ContainsFunc(q.Severity, func(ref reference) bool { return ref.name == string(s) })
}

// destination is what one name under a rule's to means for one severity.
type destination struct {
	channels []string
	quiet    *quiet // nil: no quiet hours concern the severity
}

// quietly resolves a rule's destinations for the severities that have quiet hours.
func (b *builder) quietly(e *entry, r *rule) {
	for _, severity := range r.severities {
		var list []destination
		isQuiet := false
		for _, to := range e.To {
			route, isRoute := b.doc.Routes[to.name]
			if !isRoute {
				list = append(list, destination{channels: []string{to.name}})
				continue
			}
			var d destination
			for _, ref := range route.severities[severity] {
				d.channels = append(d.channels, ref.name)
			}
			if route.quiet.covers(severity) {
				d.quiet, isQuiet = route.quiet, true
			}
			list = append(list, d)
		}
		if isQuiet {
			if r.quietly == nil {
				r.quietly = make(map[alert.Severity][]destination)
			}
			r.quietly[severity] = list
		}
	}
}

// route sets the channels of an alert: at the time of its event, which decides about quiet
// hours. A channel that is quiet by one route and not by another is told.
func (r *rule) route(a *alert.Alert) {
	destinations := r.quietly[a.Severity]
	if destinations == nil {
		a.Channels = r.channels[a.Severity]
		return
	}
	var told []string
	var quiet []alert.Quiet
	tell := func(channels []string) {
		for _, c := range channels {
			told = appendNew(told, c)
		}
	}
	for _, d := range destinations {
		q := d.quiet
		switch {
		case q == nil || !q.calendar.On(a.EventTime):
			tell(d.channels)
		case q.Do.name == reroute:
			tell(q.channels())
		case q.Do.name == drop:
			until := q.calendar.Next(a.EventTime)
			for _, c := range d.channels {
				quiet = append(quiet, alert.Quiet{Channel: c, Calendar: q.During.name, Until: until})
			}
		}
	}
	a.Channels = told
	for _, q := range quiet {
		if !slices.Contains(a.Channels, q.Channel) {
			a.Channels = append(a.Channels, q.Channel)
			a.QuietIn = append(a.QuietIn, q)
		}
	}
}

// quietIn returns the quiet hours in which a channel gets no alerts of a severity at a
// moment, though it gets them at others; nil: there are none.
func (r *rule) quietIn(channel string, severity alert.Severity, at time.Time) *quiet {
	var hours *quiet
	for _, d := range r.quietly[severity] {
		switch on := d.quiet != nil && d.quiet.calendar.On(at); {
		case on && d.quiet.Do.name == reroute && slices.Contains(d.quiet.channels(), channel):
			return nil
		case !slices.Contains(d.channels, channel):
		case !on:
			return nil
		default:
			hours = d.quiet
		}
	}
	return hours
}

// Quiet returns the calendar whose quiet hours keep a channel at a moment from being told
// of a rule's alerts of a severity, also where these go elsewhere, and when the quiet hours
// end; empty: none do.
func (s *Set) Quiet(name, channel string, severity alert.Severity, at time.Time) (calendar string, until time.Time) {
	r := s.byName[name]
	if r == nil {
		return "", time.Time{}
	}
	if q := r.quietIn(channel, severity, at); q != nil {
		return q.During.name, q.calendar.Next(at)
	}
	return "", time.Time{}
}

// everyChannel returns all channels that can get an alert of the rule: those that may have
// to be told its end.
func (r *rule) everyChannel() []string {
	var all []string
	for _, severity := range r.severities {
		for _, channel := range r.channels[severity] {
			all = appendNew(all, channel)
		}
		for _, d := range r.quietly[severity] {
			if d.quiet == nil {
				continue
			}
			for _, channel := range d.quiet.channels() {
				all = appendNew(all, channel)
			}
		}
	}
	return all
}

// channels returns the channels that get alerts instead.
func (q *quiet) channels() []string {
	names := make([]string, len(q.To))
	for i, ref := range q.To {
		names[i] = ref.name
	}
	return names
}
