package replay

import (
	"sync"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// fate is the outcome of a planned entry.
type fate uint8

const (
	unsent fate = iota
	sent
	superseded
	refused // the brokers did not take the request
	settledResolved
	settledReopened
	settledDiscarded
	settledDropped
	numFates
)

// tally records the outcome of each entry of a plan. The submitting and the watching
// goroutine share it. An outcome may be seen before the acknowledgement of its request,
// so an entry counts as sent once its request is handed over, until that is refused.
type tally struct {
	plan    *Plan
	places  map[entryKey]int // nil: not watched
	changed chan struct{}    // size 1: an outcome came
	canary  int              // places: one that fails again stops the run
	stop    func()           // called when an entry stops the run

	mu      sync.Mutex
	fates   []fate          // by place
	counts  [numFates]int   // of places
	offsets []int64         // of the requests, by place; -1: not known
	handed  int             // places that take was called for
	passed  [3]int          // see drop
	failed  map[string]bool // fingerprints of entries that failed again
	account Account         // without the numbers that follow from counts
}

// entryKey names an entry: its dead-letter topic and its id.
type entryKey struct{ topic, id string }

// newTally returns a tally; one that is not watched only counts.
func newTally(p *Plan, group string, canary int, watched bool, stop func()) *tally {
	t := &tally{
		plan: p, changed: make(chan struct{}, 1), canary: canary, stop: stop,
		fates: make([]fate, p.Len()), offsets: make([]int64, p.Len()), failed: make(map[string]bool),
	}
	t.account.Planned, t.account.Watched = p.Len(), watched
	t.counts[unsent] = p.Len()
	if watched {
		t.places = make(map[entryKey]int, p.Len())
	}
	names := make(map[string]string) // of the dead-letter topics
	for place, it := range p.items {
		t.offsets[place] = -1
		if !watched {
			continue
		}
		source := it.route.topic
		if names[source] == "" {
			names[source] = topics.DeadLetter(group, topics.Name(source))
		}
		t.places[entryKey{names[source], it.id}] = place
	}
	return t
}

// set sets the fate of a place; t.mu is held.
func (t *tally) set(place int, f fate) {
	t.counts[t.fates[place]]--
	t.counts[f]++
	t.fates[place] = f
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// take hands out the entry at a place, unless it was superseded.
func (t *tally) take(place int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handed = place + 1
	if t.fates[place] != unsent {
		return false
	}
	t.set(place, sent)
	return true
}

// acknowledged takes the acknowledgement of a request; err: the brokers do not have it.
func (t *tally) acknowledged(place int, offset int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.offsets[place] = offset
	} else if t.fates[place] == sent { // else they have it: it has an outcome
		t.set(place, refused)
	}
}

// see takes what was written of an entry. It returns whether it is one of the run's that
// failed again, and whether that stops the run: it is a canary, or others of the plan have
// its cause, or another one failed with it before.
func (t *tally) see(e *dlq.Entry) (again, stops bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	place, ok := t.places[entryKey{e.Topic, e.ID}]
	if !ok || !Superseded(t.plan.items[place].version, e.Supersedes()) {
		return false, false
	}
	switch t.fates[place] {
	case unsent:
		t.set(place, superseded)
		return false, false
	case sent, refused, settledDropped: // refused: the acknowledgement was lost
		if t.account.Lost == e.ID {
			t.account.Lost = ""
		}
	default: // it is about a later request
		return false, false
	}
	switch e.State {
	case dlq.Resolved:
		t.set(place, settledResolved)
		return false, false
	case dlq.Discarded:
		t.set(place, settledDiscarded)
		return false, false
	case dlq.Quarantined:
		t.account.Quarantined++
	}
	t.set(place, settledReopened)
	if t.account.First == nil {
		t.account.First = e
	}
	cause := e.Fingerprint()
	stops = place < t.canary || t.plan.Stats.Has(cause) || t.failed[cause]
	t.failed[cause] = true
	if stops && t.account.Stopped == nil && t.handed < t.plan.Len() {
		t.account.Stopped = e
		t.stop()
	}
	return true, stops
}

// drop takes the offset below which the daemon has settled requests, once everything is
// read that was in the dead-letter topics then. A request below it without a later
// record of its entry was dropped. The daemon writes records before it commits, but
// after a change of leader they may be seen in the other order: so a request is dropped
// at the second call after the one that saw it settled.
func (t *tally) drop(committed int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for place := t.passed[0]; place < t.passed[1]; place++ {
		if t.fates[place] != sent {
			continue
		}
		t.set(place, settledDropped)
		if t.account.Lost == "" {
			t.account.Lost = t.plan.items[place].id
		}
	}
	t.passed[0], t.passed[1] = t.passed[1], t.passed[2]
	for ; t.passed[2] < t.handed; t.passed[2]++ {
		if place := t.passed[2]; t.fates[place] == sent && (t.offsets[place] < 0 || t.offsets[place] >= committed) {
			break
		}
	}
}

// settled reports whether every request has its outcome.
func (t *tally) settled() bool { return t.now().Waiting == 0 }

func (t *tally) now() Account {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.account
	a.Resolved, a.Reopened, a.Discarded, a.Dropped = t.counts[settledResolved], t.counts[settledReopened], t.counts[settledDiscarded], t.counts[settledDropped]
	a.Waiting, a.Superseded = t.counts[sent], t.counts[superseded]
	a.Sent = a.Resolved + a.Reopened + a.Discarded + a.Dropped + a.Waiting
	return a
}
