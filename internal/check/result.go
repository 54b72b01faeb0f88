// Package check has the results of checks and runs them: see Gather.
package check

import "fmt"

// Status is the status of a result.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning" // works with a problem, or will not for long
	Failed  Status = "failed"  // does not work
	Skipped Status = "skipped" // not checked; the message says why
)

// Result is the result of one check. It contains no secret.
type Result struct {
	Area    string `json:"area"` // "brokers", "channels": set by Gather
	Status  Status `json:"status"`
	Subject string `json:"subject"` // "kafka-1:9092", "recipient ann@example.com"
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"` // what an operator can do
	Err     error  `json:"-"`                // the cause, if it has a type
}

func Okf(subject, format string, args ...any) Result {
	return Result{Status: OK, Subject: subject, Message: fmt.Sprintf(format, args...)}
}

func Warnf(subject, remedy, format string, args ...any) Result {
	return Result{Status: Warning, Subject: subject, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

func Failedf(subject, remedy, format string, args ...any) Result {
	return Result{Status: Failed, Subject: subject, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

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
