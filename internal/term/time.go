package term

import "time"

// Times for people are in the local zone. Where a text does not say otherwise, the name
// of the zone stands with them; JSON has them in UTC.

// Stamp returns a time with its date and zone: 2026-11-23 14:31:05 CET; – if it is zero.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

// Clock returns the time of day with milliseconds and zone: 14:31:05.000 CET.
func Clock(t time.Time) string { return t.Local().Format("15:04:05.000 MST") }

// Short returns a time without year and zone, for a column: 23 Nov 14:31:05.
func Short(t time.Time) string { return t.Local().Format("02 Jan 15:04:05") }

// Zone returns the name of the local zone at a time.
func Zone(t time.Time) string { return t.Local().Format("MST") }
