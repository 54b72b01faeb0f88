package event

import (
	"regexp"
	"strings"
	"time"
)

// lateClock finds 24:00:00, and a second 60.
var lateClock = regexp.MustCompile(`[T -](?:(24):?00(?::?00)?|\d\d:?\d\d:?(60))`)

// lateTime reads what time.Parse does not: 24:00:00, which is the next midnight (ISO
// 8601), and a leap second, 23:59:60 in UTC, which is the next second.
func lateTime(s string, zone *time.Location) (time.Time, bool) {
	m := lateClock.FindStringSubmatchIndex(s)
	if m == nil {
		return time.Time{}, false
	}
	if at := m[2]; at >= 0 {
		t, ok := parseLayouts(s[:at]+"00"+s[at+2:], zone)
		return t.AddDate(0, 0, 1).UTC(), ok && isMidnight(t)
	}
	at := m[4]
	t, ok := parseLayouts(s[:at]+"59"+s[at+2:], zone)
	t = t.Add(time.Second).UTC()
	return t, ok && isMidnight(t.Truncate(time.Second))
}

func isMidnight(t time.Time) bool {
	return t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 && t.Nanosecond() == 0
}

// isDate reports whether a value that is read as a time is a date without a time of day.
func isDate(v Value) bool {
	switch v.Kind() {
	case Number:
		return len(v.Text()) == len("20060102")
	case String:
		s := strings.TrimSpace(v.Text())
		return len(s) == len("20060102") || len(s) == len("2006-01-02") && s[4] == '-'
	}
	return v.Kind() == Array && v.Len() == 3
}
