package lookalike

import (
	"regexp"
	"strconv"
	"time"

	"github.com/algotrade/notifier/internal/event"
)

// stamp matches a time of RFC 3339 and its common variants; a date stands alone.
var stamp = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})(?:([T ])(\d{2}:\d{2}:\d{2})([.,]\d+)?(Z|[+-]\d{2}:?\d{2})?)?$`)

// shiftText moves a time in a text, whose form stays.
func shiftText(text string, shift time.Duration, at time.Time) (string, bool) {
	if unix.MatchString(text) {
		return shiftNumber(text, shift, at)
	}
	m := stamp.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	if m[2] == "" {
		day, err := time.Parse(time.DateOnly, m[1])
		return day.Add(shift.Round(24 * time.Hour)).Format(time.DateOnly), err == nil
	}
	at, err := time.Parse(time.DateTime, m[1]+" "+m[3])
	return at.Add(shift).Format("2006-01-02"+m[2]+"15:04:05") + m[4] + m[5], err == nil
}

// unix matches seconds, milliseconds, microseconds or nanoseconds since 1970, from 2001 to
// 2286.
var unix = regexp.MustCompile(`^([1-9]\d{9})(?:(\d{3}|\d{6}|\d{9})|(\.\d+))?$`)

// near is how far from the event's time a number is a time: others are ids or amounts.
const near = 60 * 24 * time.Hour

// shiftNumber moves a number that is a time.
func shiftNumber(text string, shift time.Duration, at time.Time) (string, bool) {
	m := unix.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	t, ok := event.ParseTime(event.StringValue(text))
	if !ok || t.Sub(at).Abs() > near {
		return "", false
	}
	seconds, err := strconv.ParseInt(m[1], 10, 64)
	return strconv.FormatInt(seconds+int64(shift/time.Second), 10) + m[2] + m[3], err == nil
}
