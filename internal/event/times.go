package event

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Earliest is the earliest time that ParseTime reads. Package instant bounds the
// time of an event more narrowly.
var Earliest = time.Date(1973, time.January, 1, 0, 0, 0, 0, time.UTC)

// latest is the maximum of int64 nanoseconds, in the year 2262.
var latest = time.Unix(0, math.MaxInt64)

// longestTime limits the text of a time, in bytes.
const longestTime = 40

var layouts = []string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05Z0700",
	"2006-01-02T15:04:05Z07",
	"2006-01-02 15:04:05Z07",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02",
}

// ParseTime reads a time from Earliest to 2262: RFC 3339, also without a zone
// (UTC) or with a space, or seconds, milliseconds, microseconds or nanoseconds
// since 1970, distinguished by magnitude, as a number or a string.
func ParseTime(v Value) (time.Time, bool) {
	t, ok := readTime(v)
	if !ok || t.Before(Earliest) || t.After(latest) {
		return time.Time{}, false
	}
	return t, true
}

// readTime is ParseTime without its bounds, in UTC.
func readTime(v Value) (time.Time, bool) {
	switch v.Kind() {
	case Number:
		return epoch(v.Text(), v.Float())
	case String:
		s := strings.TrimSpace(v.Text())
		if len(s) < len("2006-01-02") || len(s) > longestTime {
			return time.Time{}, false
		}
		if t, ok := parseUTC(s); ok {
			return t, true
		}
		if s[4] != '-' { // with a minus there it is a date, or a number below epoch's range
			if f, err := strconv.ParseFloat(s, 64); err == nil {
				return epoch(s, f)
			}
		}
		for _, layout := range layouts {
			if t, err := time.Parse(layout, s); err == nil {
				return t.UTC(), true
			}
		}
		if upper := strings.ToUpper(s); upper != s { // RFC 3339 allows t and z
			return readTime(StringValue(upper))
		}
	}
	return time.Time{}, false
}

// epoch reads a time since 1970, an integer without the rounding of float64.
func epoch(literal string, f float64) (time.Time, bool) {
	var unit time.Duration
	switch {
	case !(f >= 1e8 && f < 1e19):
		return time.Time{}, false
	case f < 1e11:
		unit = time.Second
	case f < 1e14:
		unit = time.Millisecond
	case f < 1e17:
		unit = time.Microsecond
	default:
		unit = time.Nanosecond
	}
	if len(literal) > longestTime { // not an integer
		literal = ""
	}
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
		perSecond := int64(time.Second / unit)
		return time.Unix(n/perSecond, n%perSecond*int64(unit)).UTC(), true
	}
	whole, fraction := math.Modf(f * (float64(unit) / float64(time.Second)))
	return time.Unix(int64(whole), int64(fraction*1e9)).Round(time.Microsecond).UTC(), true
}

// parseUTC reads the usual form of RFC 3339, in UTC, faster than time.Parse.
func parseUTC(s string) (time.Time, bool) {
	const seconds = "2006-01-02T15:04:05"
	end := len(s) - 1
	if end < len(seconds) || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[end] != 'Z' {
		return time.Time{}, false
	}
	century, year, month, day := twoDigits(s), twoDigits(s[2:]), twoDigits(s[5:]), twoDigits(s[8:])
	hour, minute, second := twoDigits(s[11:]), twoDigits(s[14:]), twoDigits(s[17:])
	if century > 99 || year > 99 || month-1 > 11 || day-1 > 27 && (month == 2 || day-1 > 29+(month+month>>3)&1) || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	nanos := 0
	if end > len(seconds) {
		if s[len(seconds)] != '.' || end == len(seconds)+1 || end > len(seconds)+10 {
			return time.Time{}, false
		}
		for i := len(seconds) + 1; i < len(seconds)+10; i++ {
			nanos *= 10
			if i < end {
				digit := s[i] - '0'
				if digit > 9 {
					return time.Time{}, false
				}
				nanos += int(digit)
			}
		}
	}
	return time.Date(int(100*century+year), time.Month(month), int(day), int(hour), int(minute), int(second), nanos, time.UTC), true
}

// twoDigits returns the number that s begins with, more than 99 if it is none.
func twoDigits(s string) uint {
	a, b := uint(s[0]-'0'), uint(s[1]-'0')
	if a > 9 || b > 9 {
		return 1000
	}
	return 10*a + b
}
