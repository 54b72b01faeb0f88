package calendar

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler: a mapping, or a list of them.
func (c *Calendar) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	items := []yamldoc.Cursor{at}
	if at.IsSequence() {
		items = at.Items()
	}
	ok := true
	for _, item := range items {
		p, good := decodePart(item)
		c.parts = append(c.parts, p)
		ok = ok && good
	}
	switch {
	case !ok: // reported
	case c.never():
		at.Fault("is never on: each of its dates is in except")
	case c.always():
		at.Fault("is always on: leave out times or days")
	}
}

var keys = []string{"times", "days", "dates", "except", "timezone"}

func decodePart(at yamldoc.Cursor) (p part, ok bool) {
	if !at.IsMapping() {
		at.Fault(`write times and days: {times: ["17:00-06:30"], days: [mon-fri]}`)
		return p, false
	}
	ok = true
	fault := func(at yamldoc.Cursor, format string, args ...any) {
		ok = false
		at.Fault(format, args...)
	}
	texts := func(at yamldoc.Cursor, read func(at yamldoc.Cursor, text string) error) {
		items := at.Items()
		if len(items) == 0 {
			fault(at, "is empty: name at least one, or leave the key out")
		}
		for _, item := range items {
			text, isText := item.Scalar()
			if !isText {
				ok = false
				continue
			}
			if err := read(item, text); err != nil {
				fault(item, "%v", err)
			}
		}
	}
	dates := func(list *[]date) func(yamldoc.Cursor, string) error {
		return func(_ yamldoc.Cursor, text string) error {
			t, err := time.Parse(time.DateOnly, text)
			if err != nil {
				return fmt.Errorf("%q is no date: write it as 2026-12-25", text)
			}
			*list = append(*list, dateOf(t))
			return nil
		}
	}
	for _, k := range at.Keys() {
		switch k.Name {
		case "times":
			texts(k.Value, func(_ yamldoc.Cursor, text string) error {
				s, err := parseSpan(text)
				p.times = append(p.times, s)
				return err
			})
		case "days":
			texts(k.Value, func(_ yamldoc.Cursor, text string) error {
				days, err := parseDays(text)
				p.days = append(p.days, days...)
				return err
			})
		case "dates":
			texts(k.Value, dates(&p.dates))
		case "except":
			texts(k.Value, dates(&p.except))
		case "timezone":
			name, _ := k.Value.Scalar()
			zone, err := time.LoadLocation(name)
			if err != nil || name == "Local" || name == "" {
				fault(k.Value, "unknown time zone %q: use an IANA name, such as America/New_York or UTC", name)
				continue
			}
			p.zone = zone
		default:
			ok = false
			k.At.Unknown(k.Name, keys)
		}
	}
	return p, ok
}

var spanText = regexp.MustCompile(`^(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})$`)

// parseSpan reads 17:00-06:30.
func parseSpan(text string) (span, error) {
	m := spanText.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return span{}, fmt.Errorf(`%q is no time of the day: write it as "17:00-06:30"`, text)
	}
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // of at most two digits
	}
	s := span{n[0]*60 + n[1], n[2]*60 + n[3]}
	switch {
	case n[1] > 59 || n[3] > 59 || s.from >= dayMinutes || s.to > dayMinutes:
		return s, fmt.Errorf("%q has a time that no clock shows: hours are 00 to 23, the last end is 24:00", text)
	case s.from == s.to:
		return s, fmt.Errorf("%q ends when it begins: for whole days leave out times", text)
	}
	return s, nil
}

// parseDays reads mon, or mon-fri.
func parseDays(text string) ([]time.Weekday, error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, err := parseDay(first)
	if err != nil {
		return nil, err
	}
	to, err := parseDay(last)
	if err != nil {
		return nil, err
	}
	days := []time.Weekday{from}
	for d := from; d != to; {
		d = (d + 1) % 7
		days = append(days, d)
	}
	return days, nil
}

func parseDay(text string) (time.Weekday, error) {
	name := strings.ToLower(strings.TrimSpace(text))
	if i := slices.Index(weekdays, name); i >= 0 {
		return time.Weekday(i), nil
	}
	near := suggest.Closest(name, weekdays)
	if near == "" && len(name) > 3 && slices.Contains(weekdays, name[:3]) { // monday
		near = name[:3]
	}
	if near != "" {
		return 0, fmt.Errorf("unknown day %q: did you mean %s?", text, near)
	}
	return 0, fmt.Errorf("unknown day %q: use mon, tue, wed, thu, fri, sat, sun", text)
}
