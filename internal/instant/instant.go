// Package instant bounds the time of an event, a record or a dead letter. Producers
// set times and make mistakes, such as seconds in a field for milliseconds. An
// implausible time is ignored.
package instant

import "time"

// Earliest is the first plausible time, inclusive. Zero values and times in the
// wrong unit are earlier.
var Earliest = time.Date(1990, time.January, 1, 0, 0, 0, 0, time.UTC)

// MaxAhead limits how far a time is ahead of its arrival: a clock in the wrong time
// zone is less than a day ahead.
const MaxAhead = 24 * time.Hour

// Plausible reports whether t is a plausible time for a record that arrived at
// arrived.
func Plausible(t, arrived time.Time) bool {
	return !t.Before(Earliest) && t.Sub(arrived) <= MaxAhead
}

// MaxApart limits how far an event's time is from its record's: further apart are
// digits that are no time since 1970, such as 202611291017.
const MaxApart = 10 * 365 * 24 * time.Hour

// PlausibleEvent reports whether t is a plausible time for an event in a record with
// the timestamp recorded, zero if it has none, that arrived at arrived.
func PlausibleEvent(t, recorded, arrived time.Time) bool {
	return Plausible(t, arrived) && First(arrived, recorded).Sub(t).Abs() <= MaxApart
}

// First returns the first plausible time, else arrived.
func First(arrived time.Time, times ...time.Time) time.Time {
	for _, t := range times {
		if Plausible(t, arrived) {
			return t
		}
	}
	return arrived
}
