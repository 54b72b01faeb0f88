// Package check is what a check says about one thing that it has looked at:
// whether it is as it should be, and the remedy where it is not. Checks that
// need time run beside each other, and none of them holds up the rest: see
// Gather.
package check

import "fmt"

// Status is how something was found.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning" // it works, but not as it should, or not for long
	Failed  Status = "failed"  // it does not work
	Skipped Status = "skipped" // it was not looked at; the message says why
)

// Result is one thing that was looked at. Message and Remedy hold no secret.
type Result struct {
	Area    string `json:"area"` // "brokers", "channels": set by Gather
	Status  Status `json:"status"`
	Subject string `json:"subject"` // "kafka-1:9092", "recipient ann@example.com"
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"` // what a person can do, a command where there is one
	Err     error  `json:"-"`                // why it failed, where the cause has a type
}

// Okf says that a subject is as it should be.
func Okf(subject, format string, args ...any) Result {
	return Result{Status: OK, Subject: subject, Message: fmt.Sprintf(format, args...)}
}

// Warnf says that a subject works, but not as it should.
func Warnf(subject, remedy, format string, args ...any) Result {
	return Result{Status: Warning, Subject: subject, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Failedf says that a subject does not work.
func Failedf(subject, remedy, format string, args ...any) Result {
	return Result{Status: Failed, Subject: subject, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Skipf says why a subject was not looked at.
func Skipf(subject, format string, args ...any) Result {
	return Result{Status: Skipped, Subject: subject, Message: fmt.Sprintf(format, args...)}
}

// Count returns how many of the results have a status.
func Count(all []Result, s Status) int {
	n := 0
	for _, r := range all {
		if r.Status == s {
			n++
		}
	}
	return n
}

// In returns the results of an area.
func In(area string, all []Result) []Result {
	var list []Result
	for _, r := range all {
		if r.Area == area {
			list = append(list, r)
		}
	}
	return list
}
