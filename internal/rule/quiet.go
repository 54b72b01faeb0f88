package rule

import (
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/calendar"
	"github.com/algotrade/notifier/internal/rulesfile"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

var calendarName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// calendars completes the calendars and checks their names.
func (b *builder) calendars() {
	b.set.calendars = make(map[string]calendar.Calendar)
	for name, c := range b.doc.Calendars {
		if !calendarName.MatchString(name) || len(name) > 64 {
			b.fault(c.At.Pos(), "%q is not a valid name: use lower-case letters, digits and single hyphens, at most 64 characters", name)
		}
		b.set.calendars[name] = c.In(b.doc.Timezone.Location)
	}
}

// calendar returns a calendar of the file, and reports one that it does not have.
func (b *builder) calendar(ref rulesfile.Reference) calendar.Calendar {
	if ref.Name == "" { // reported by the decoder
		return calendar.Calendar{}
	}
	c, known := b.set.calendars[ref.Name]
	b.usedCalendars[ref.Name] = true
	switch near := suggest.Closest(ref.Name, slices.Sorted(maps.Keys(b.set.calendars))); {
	case known:
	case near != "":
		b.fault(ref.At.Pos(), "unknown calendar %q: did you mean %s?", ref.Name, near)
		b.of(yamldoc.UnknownName)
	default:
		b.fault(ref.At.Pos(), "unknown calendar %q: define it under calendars", ref.Name)
		b.of(yamldoc.UnknownName)
	}
	return c
}

// quietHours are the quiet hours of a route, with their calendar.
type quietHours struct {
	*rulesfile.Quiet
	calendar calendar.Calendar
}

// quiet checks the quiet hours of a route.
func (b *builder) quiet(name string, r *rulesfile.Route) {
	q := r.Quiet
	if q == nil {
		return
	}
	if b.hours == nil {
		b.hours = make(map[string]*quietHours)
	}
	b.hours[name] = &quietHours{Quiet: q, calendar: b.calendar(q.During)}
	for _, ref := range q.Severity {
		severity := alert.Severity(ref.Name)
		switch near := suggest.Closest(ref.Name, rulesfile.SeverityNames()); {
		case severity.Rank() == 0 && near != "":
			b.fault(ref.At.Pos(), "%q is not a severity: did you mean %s?", ref.Name, near)
		case severity.Rank() == 0:
			b.fault(ref.At.Pos(), "%q is not one of info, warning and critical", ref.Name)
		case len(r.Severities[severity]) == 0:
			b.fault(ref.At.Pos(), "route %s has no channel for %s: leave it out here", name, severity)
		case severity == alert.Critical && q.Do.Name == rulesfile.Drop:
			b.fault(ref.At.Pos(), "critical alerts cannot be dropped: leave critical out, or write do: reroute")
		}
	}
	if q.At.Has("severity") && len(q.Severity) == 0 {
		b.fault(q.At.Field("severity").Pos(), "is empty: name the severities that are quiet")
	}
	switch {
	case q.Do.Name == rulesfile.Reroute && len(q.To) == 0:
		b.fault(q.At.Field("to").Pos(), "is missing: name the channels that get the alerts instead")
	case q.Do.Name == rulesfile.Drop && q.At.Has("to"):
		b.fault(q.At.Field("to").Pos(), "has no effect: do: drop sends to nobody; write do: reroute, or leave it out")
	case q.Do.Name != "" && q.Do.Name != rulesfile.Reroute && q.Do.Name != rulesfile.Drop:
		b.fault(q.Do.At.Pos(), "%q is not known: write reroute or drop", q.Do.Name)
	}
	for _, ref := range q.To {
		b.channelOf(name, ref)
	}
}

// destination is what one name under a rule's to means for one severity.
type destination struct {
	channels []string
	quiet    *quietHours // nil: no quiet hours concern the severity
}

// quietly resolves a rule's destinations for the severities that have quiet hours.
func (b *builder) quietly(e *rulesfile.Entry, r *rule) {
	for _, severity := range r.severities {
		var list []destination
		isQuiet := false
		for _, to := range e.To {
			route, isRoute := b.doc.Routes[to.Name]
			if !isRoute {
				list = append(list, destination{channels: []string{to.Name}})
				continue
			}
			var d destination
			for _, ref := range route.Severities[severity] {
				d.channels = append(d.channels, ref.Name)
			}
			if hours := b.hours[to.Name]; hours != nil && hours.Covers(severity) {
				d.quiet, isQuiet = hours, true
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
		case q.Do.Name == rulesfile.Reroute:
			tell(q.Channels())
		case q.Do.Name == rulesfile.Drop:
			until := q.calendar.Next(a.EventTime)
			for _, c := range d.channels {
				quiet = append(quiet, alert.Quiet{Channel: c, Calendar: q.During.Name, Until: until})
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
func (r *rule) quietIn(channel string, severity alert.Severity, at time.Time) *quietHours {
	var hours *quietHours
	for _, d := range r.quietly[severity] {
		switch on := d.quiet != nil && d.quiet.calendar.On(at); {
		case on && d.quiet.Do.Name == rulesfile.Reroute && slices.Contains(d.quiet.Channels(), channel):
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
		return q.During.Name, q.calendar.Next(at)
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
			for _, channel := range d.quiet.Channels() {
				all = appendNew(all, channel)
			}
		}
	}
	return all
}
