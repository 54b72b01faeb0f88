// Package calendar says whether a moment is in recurring times, such as every night, and when
// that changes next. A time of the day is what a clock in the calendar's zone shows, also
// where the clocks are changed: 01:00-02:00 lasts two hours in the night in which that hour
// comes twice, and not at all in the night in which it is left out. Pure.
//
// Start reading at Calendar.On.
package calendar

import (
	"slices"
	"time"
)

// Calendar is on in any of its parts. It is decoded from YAML; In completes it. The zero
// value is never on. It is safe for concurrent use.
type Calendar struct{ parts []part }

// part is times of the day on some days.
type part struct {
	times  []span         // none: the whole day
	days   []time.Weekday // and dates; neither: every day
	dates  []date         // besides days
	except []date         // not on these
	zone   *time.Location // nil: the calendar's
}

// span is a time of the day, in minutes from midnight. If it ends before it begins, it
// ends on the next day, and belongs to the day on which it begins.
type span struct{ from, to int }

const dayMinutes = 24 * 60

// date is a day of a year.
type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time) date {
	y, m, d := t.Date()
	return date{y, m, d}
}

// at returns the date's midnight so many days later, as if the zone were UTC.
func (d date) at(days int) time.Time {
	return time.Date(d.year, d.month, d.day+days, 0, 0, 0, 0, time.UTC)
}

// In returns the calendar with a zone for the parts without their own.
func (c Calendar) In(zone *time.Location) Calendar {
	in := Calendar{parts: slices.Clone(c.parts)}
	for i := range in.parts {
		if p := &in.parts[i]; p.zone == nil {
			p.zone = zone
		}
	}
	return in
}

// On reports whether the calendar is on at a moment.
func (c Calendar) On(t time.Time) bool {
	for i := range c.parts {
		if c.parts[i].on(t) {
			return true
		}
	}
	return false
}

func (p *part) on(t time.Time) bool {
	local := t.In(p.zone)
	minute := local.Hour()*60 + local.Minute()
	today := dateOf(local)
	yesterday := dateOf(today.at(-1))
	if p.begins(today) && (len(p.times) == 0 || slices.ContainsFunc(p.times, func(s span) bool { return s.from <= minute && (minute < s.to || s.to < s.from) })) {
		return true
	}
	return slices.ContainsFunc(p.times, func(s span) bool { return s.to < s.from && minute < s.to }) && p.begins(yesterday)
}

// begins reports whether the part's times begin on a day.
func (p *part) begins(d date) bool {
	every := len(p.days)+len(p.dates) == 0
	return (every || slices.Contains(p.days, d.at(0).Weekday()) || slices.Contains(p.dates, d)) && !slices.Contains(p.except, d)
}

// horizon is how many days Next looks ahead.
const horizon = 400

// Next returns when the calendar is on for the first time after a moment at which it is off,
// or off after one at which it is on; zero: not within a year.
func (c Calendar) Next(t time.Time) time.Time {
	is := c.On(t)
	for day := range horizon {
		var moments []time.Time
		for i := range c.parts {
			for near := day - 1; near <= day+2; near++ { // zones have different days at one moment
				moments = c.parts[i].changes(moments, t, near)
			}
		}
		from := t.Add(time.Duration(day) * 24 * time.Hour)
		moments = slices.DeleteFunc(moments, func(m time.Time) bool { return !m.After(from) || m.After(from.Add(24*time.Hour)) })
		slices.SortFunc(moments, time.Time.Compare)
		for _, m := range moments {
			if c.On(m) != is {
				return m
			}
		}
	}
	return time.Time{}
}

// changes appends the moments at which the part may change on a day that comes so many days
// after a moment's: those at which a clock shows a beginning or an end, and those at which
// clocks are changed.
func (p *part) changes(moments []time.Time, t time.Time, day int) []time.Time {
	midnight := dateOf(t.In(p.zone)).at(day)
	minutes := []int{0}
	for _, s := range p.times {
		minutes = append(minutes, s.from, s.to)
	}
	for _, minute := range minutes {
		clock := midnight.Add(time.Duration(minute) * time.Minute)
		for _, near := range []time.Duration{-24 * time.Hour, 24 * time.Hour} { // the zone's offset before and after a change
			_, offset := clock.Add(near).In(p.zone).Zone()
			moments = append(moments, clock.Add(-time.Duration(offset)*time.Second))
		}
	}
	if _, end := midnight.Add(-24 * time.Hour).In(p.zone).ZoneBounds(); !end.IsZero() && end.Before(midnight.Add(48*time.Hour)) {
		moments = append(moments, end)
	}
	return moments
}

// never reports whether the calendar is on at no moment.
func (c Calendar) never() bool {
	return !slices.ContainsFunc(c.parts, func(p part) bool {
		return len(p.days) > 0 || len(p.dates) == 0 || slices.ContainsFunc(p.dates, func(d date) bool { return !slices.Contains(p.except, d) })
	})
}

// always reports whether the calendar is on at every moment. Parts in other zones are
// compared as if they were in one.
func (c Calendar) always() bool {
	var on [7 * dayMinutes]bool
	for _, p := range c.parts {
		if len(p.except) > 0 {
			continue
		}
		for day := range 7 {
			if len(p.days)+len(p.dates) > 0 && !slices.Contains(p.days, time.Weekday(day)) {
				continue
			}
			times := p.times
			if len(times) == 0 {
				times = []span{{0, dayMinutes}}
			}
			for _, s := range times {
				to := s.to
				if to < s.from {
					to += dayMinutes
				}
				for minute := s.from; minute < to; minute++ {
					on[(day*dayMinutes+minute)%len(on)] = true
				}
			}
		}
	}
	return !slices.Contains(on[:], false)
}
