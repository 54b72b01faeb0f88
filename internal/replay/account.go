package replay

import "github.com/algotrade/notifier/internal/dlq"

// Account is the result of a run so far.
type Account struct {
	Planned int
	Sent    int // requests that the brokers have: the sum of the next five

	Resolved  int
	Reopened  int // failed again, with the Quarantined
	Discarded int // closed by an operator meanwhile
	Dropped   int // settled by the daemon without a later record of the entry
	Waiting   int // without an outcome, or not watched

	Quarantined int
	Superseded  int // not sent: the entry got a later record first
	// Watched: the outcomes of the requests were read.
	Watched bool
	// Stopped is the entry that stopped the run: a canary that failed again, or one with
	// a cause that other entries have; nil: none.
	Stopped *dlq.Entry
	// First is the first entry that failed again, Lost the id of the first that
	// was dropped.
	First *dlq.Entry
	Lost  string
}

// NotSent is how many planned entries have no request.
func (a Account) NotSent() int { return a.Planned - a.Sent - a.Superseded }
