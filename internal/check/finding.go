// Package check is what a check says about one thing that it has looked at:
// whether it is as it should be, and what to do where it is not. Checks that
// need time run beside each other, and none of them holds up the rest: see
// Gather.
package check

import "fmt"

// Verdict is how something was found.
type Verdict string

// The verdicts.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning" // it works, but not as it should, or not for long
	Fault   Verdict = "fault"   // it does not work
	Skipped Verdict = "skipped" // it was not looked at; the text says why
)

// Finding is one thing that was looked at. Text and Do hold no secret.
type Finding struct {
	Area    string  `json:"area,omitempty"` // "brokers", "channels": set by Gather
	Verdict Verdict `json:"verdict"`
	Subject string  `json:"subject"` // "kafka-1:9092", "recipient ann@example.com"
	Text    string  `json:"text"`
	Do      string  `json:"do,omitempty"` // what a person can do, a command where there is one
}

// Okf says that a subject is as it should be.
func Okf(subject, format string, args ...any) Finding {
	return Finding{Verdict: OK, Subject: subject, Text: fmt.Sprintf(format, args...)}
}

// Warnf says that a subject works, but not as it should.
func Warnf(subject, do, format string, args ...any) Finding {
	return Finding{Verdict: Warning, Subject: subject, Text: fmt.Sprintf(format, args...), Do: do}
}

// Faultf says that a subject does not work.
func Faultf(subject, do, format string, args ...any) Finding {
	return Finding{Verdict: Fault, Subject: subject, Text: fmt.Sprintf(format, args...), Do: do}
}

// Skipf says why a subject was not looked at.
func Skipf(subject, format string, args ...any) Finding {
	return Finding{Verdict: Skipped, Subject: subject, Text: fmt.Sprintf(format, args...)}
}

// Count returns how many of the findings have a verdict.
func Count(all []Finding, v Verdict) int {
	n := 0
	for _, f := range all {
		if f.Verdict == v {
			n++
		}
	}
	return n
}
