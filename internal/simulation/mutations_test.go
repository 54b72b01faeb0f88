package simulation

import (
	"testing"
)

// mutation is a thing that is wrong with a world on purpose; "": nothing is.
type mutation string

const (
	newestCommitted         mutation = "the newest is committed, not the watermark"
	oldestCommitted         mutation = "an older commit is asked for after a later one"
	unfenced                mutation = "nobody is fenced, by us or by the coordinator"
	revokeOvertakes         mutation = "a revoke does not wait for the commit before it"
	doneTooFar              mutation = "a record says that its input is committed as far as it was read"
	noLanes                 mutation = "the next of a lane does not wait for the outcome of the one before"
	outageIsRefusal         mutation = "an outage counts as a refusal"
	outageUsesUp            mutation = "an outage uses up attempts: retry stands outside of the breaker"
	unwrittenDeadLetter     mutation = "a dead letter counts as written before it is"
	committedUnacknowledged mutation = "a source is committed before its alerts are acknowledged"
	listForgotten           mutation = "what is finished above the watermark is forgotten"
	marksForgotten          mutation = "the marks of the repeat filter are forgotten"
	unbounded               mutation = "dispatch does not wait for commits"
	headersLost             mutation = "dead letters lose their headers"
	noTombstones            mutation = "tombstones are not written"
	unfoldedRequests        mutation = "requests are not compared with the fold"
	forwardedIsSettled      mutation = "requests are settled when they are forwarded"
	movesUnheard            mutation = "who is given a partition does not know what is to be moved"
	oneIDForTwo             mutation = "the partition is no part of an id"
)

func (w *world) is(m mutation) bool { return w.broken == m }

// A judge that finds nothing has to be one that would.
func TestEveryMutationIsFound(t *testing.T) {
	const within = 1500 // schedules; the rarest takes some 300
	for m, promise := range map[mutation]string{
		newestCommitted:         "commits",
		oldestCommitted:         "commits",
		unfenced:                "ownership",
		revokeOvertakes:         "ownership",
		doneTooFar:              "commits",
		noLanes:                 "order",
		outageIsRefusal:         "dead letters",
		outageUsesUp:            "dead letters",
		unwrittenDeadLetter:     "commits",
		committedUnacknowledged: "commits",
		listForgotten:           "repeats",
		marksForgotten:          "repeats",
		unbounded:               "bounded repeats",
		headersLost:             "dead letters",
		noTombstones:            "dead letters",
		unfoldedRequests:        "replays",
		forwardedIsSettled:      "replays",
		movesUnheard:            "moves",
		oneIDForTwo:             "dead letters",
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
