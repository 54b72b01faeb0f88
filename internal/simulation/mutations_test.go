package simulation

import (
	"testing"
)

// mutation is a thing that is wrong with a world on purpose; "": nothing is.
type mutation string

const (
	oldestCommitted    mutation = "an older commit is asked for after a later one"
	revokeOvertakes    mutation = "a revoke does not wait for the commit before it"
	unfoldedRequests   mutation = "requests are not compared with the index"
	forwardedIsSettled mutation = "requests are settled when they are forwarded"
	movesUnheard       mutation = "who is given a partition does not know what is to be moved"
)

func (w *world) is(m mutation) bool { return w.broken == m }

// A judge that finds nothing has to be one that would.
func TestEveryMutationIsFound(t *testing.T) {
	const within = 1500 // schedules; the rarest takes some 300
	for m, promise := range map[mutation]string{
		oldestCommitted:    "commits",
		revokeOvertakes:    "ownership",
		unfoldedRequests:   "replays",
		forwardedIsSettled: "replays",
		movesUnheard:       "moves",
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
