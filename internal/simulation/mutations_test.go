package simulation

import (
	"testing"
)

// mutation is a deliberate defect of a world; "": none.
type mutation string

const (
	olderCommittedLater mutation = "an older commit is requested after a later one"
	revokeDoesNotWait   mutation = "a revoke does not wait for the commit before it"
	requestsNotCompared mutation = "requests are not compared with the index"
	forwardedIsSettled  mutation = "requests are settled when they are forwarded"
	movesNotRead        mutation = "a new owner does not read the requests to move alerts"
)

func (w *world) is(m mutation) bool { return w.broken == m }

// TestEveryMutationIsFound: the oracle detects each deliberate defect.
func TestEveryMutationIsFound(t *testing.T) {
	const within = 1500 // schedules; the rarest takes some 300
	for m, promise := range map[mutation]string{
		olderCommittedLater: "commits",
		revokeDoesNotWait:   "ownership",
		requestsNotCompared: "replays",
		forwardedIsSettled:  "replays",
		movesNotRead:        "moves",
	} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(within) {
				_, faults := run(t, seed+1, m)
				for _, f := range faults {
					if f.Promise == promise {
						t.Logf("after %d schedules: %s", seed+1, f)
						return
					}
				}
			}
			t.Errorf("not found by the promise of %q in %d schedules", promise, within)
		})
	}
}
