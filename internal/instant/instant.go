// Package instant says which moments can be the time of an event, a record or
// a dead letter. Whatever comes from a topic may say anything: seconds in a
// field for milliseconds are 1970, microseconds are the year 58,000, and
// whoever may write to a topic sets the timestamps of its records. What is
// implausible counts as no time at all, so that nothing expires by it, is
// shown as decades late, or lies in the future for years.
package instant

import "time"

// Earliest is the first plausible moment, inclusive. Before it lie the zero
// values of languages and file systems, and numbers in the wrong unit. It is
// older than any event that a backlog or an import can hold.
var Earliest = time.Date(1990, time.January, 1, 0, 0, 0, 0, time.UTC)

// MaxAhead is how far ahead of its arrival a moment may be: a producer's clock
// in the wrong time zone is less than a day ahead.
const MaxAhead = 24 * time.Hour

// Plausible reports whether t can be the time of something that arrived at
// arrived.
func Plausible(t, arrived time.Time) bool {
	return !t.Before(Earliest) && t.Sub(arrived) <= MaxAhead
}

// First returns the first of these moments that is plausible, else arrived.
func First(arrived time.Time, moments ...time.Time) time.Time {
	for _, t := range moments {
		if Plausible(t, arrived) {
			return t
		}
	}
	return arrived
}
