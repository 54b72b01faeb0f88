package replay

import "github.com/algotrade/notifier/internal/dlq"

// Account is what became of a run so far. Sent is the sum of Resolved,
// Reopened, Discarded, Dropped and Waiting; what is not watched waits.
type Account struct {
	Planned int
	Sent    int // requests that the brokers have

	Resolved    int
	Reopened    int // rewritten: it failed again, the Quarantined among them
	Quarantined int
	Discarded   int // closed by a person meanwhile
	// Dropped is how many requests the daemon has settled without a later
	// record of their entry: it would not send them.
	Dropped int
	Waiting int

	// Superseded is how many were not sent because their entry got a later
	// record before their turn came.
	Superseded int
	// Watched is false where nobody has looked at what becomes of the requests.
	Watched bool
	// Stopped is the entry that failed again with a cause that the plan knows,
	// for which the run was stopped; nil: it was not.
	Stopped *dlq.Entry
	// First is the first entry that failed again, Lost the id of the first that
	// was dropped.
	First *dlq.Entry
	Lost  string
}

// NotSent is how many planned entries no request was made for.
func (a Account) NotSent() int { return a.Planned - a.Sent - a.Superseded }
