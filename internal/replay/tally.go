package replay

import (
	"sync"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// fate is what became of a planned entry.
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
)

// tally keeps what became of each entry of a plan. The submitting and the
// watching goroutine share it.
//
// An outcome may be seen before the request's own acknowledgement. So what
// counts as sent is decided when the request is handed over, and taken back if
// it is refused.
type tally struct {
	plan    *Plan
	watched bool
	places  map[entryKey]int
	changed chan struct{} // size 1: an outcome came
	stop    func()        // called when a known cause failed again

	mu      sync.Mutex
	fates   []fate  // by place
	offsets []int64 // of the requests, by place; -1: not known
	handed  int     // places that were gone through
	passed  [3]int  // see drop
	account Account
}

// entryKey names an entry: its dead-letter topic and its id.
type entryKey struct{ topic, id string }

// newTally returns a tally; one that is not watched only counts.
func newTally(p *Plan, group string, watched bool, stop func()) *tally {
	t := &tally{plan: p, watched: watched, changed: make(chan struct{}, 1), stop: stop}
	t.account.Planned, t.account.Watched = p.Len(), watched
	if !watched {
		return t
	}
	t.fates, t.offsets, t.places = make([]fate, p.Len()), make([]int64, p.Len()), make(map[entryKey]int, p.Len())
	names := make(map[string]string) // of the dead-letter topics
	for place, it := range p.items {
		source := it.route.topic
		if names[source] == "" {
			names[source] = topics.DeadLetter(group, topics.Name(source))
		}
		t.places[entryKey{names[source], it.id}] = place
		t.offsets[place] = -1
	}
	return t
}

// take hands out the entry at a place, unless it was superseded.
func (t *tally) take(place int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handed = place + 1
	if t.watched {
		if t.fates[place] != unsent {
			return false
		}
		t.fates[place] = sent
	}
	t.account.Sent++
	t.account.Waiting++
	return true
}

// acknowledged notes where the request of a place is; an error says that the
// brokers do not have it.
func (t *tally) acknowledged(place int, offset int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		if t.watched {
			t.offsets[place] = offset
		}
		return
	}
	if t.watched {
		if t.fates[place] != sent { // they have it all the same: it has an outcome
			return
		}
		t.fates[place] = refused
	}
	t.account.Sent--
	t.account.Waiting--
	t.tell()
}

// see takes note of a change of an entry. It returns the entry if it is one of
// the run's that failed again, and whether the plan knew the cause.
func (t *tally) see(c dlq.Change) (again *dlq.Entry, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	place, ok := t.places[entryKey{c.Topic, c.ID}]
	if !ok || !Superseded(t.plan.items[place].version, c.Offset) {
		return nil, false
	}
	f := &t.fates[place]
	switch *f {
	case unsent:
		*f = superseded
		t.account.Superseded++
		return nil, false
	case settledDropped:
		t.account.Dropped--
		if t.account.Lost == c.ID {
			t.account.Lost = ""
		}
	case sent:
		t.account.Waiting--
	case refused: // its acknowledgement was lost
		t.account.Sent++
	default: // that is no longer about our request
		return nil, false
	}
	defer t.tell()
	switch {
	case c.Entry == nil && c.Closed.State == dlq.Resolved:
		*f = settledResolved
		t.account.Resolved++
		return nil, false
	case c.Entry == nil:
		*f = settledDiscarded
		t.account.Discarded++
		return nil, false
	}
	*f = settledReopened
	t.account.Reopened++
	if c.Entry.State == dlq.Quarantined {
		t.account.Quarantined++
	}
	if t.account.First == nil {
		t.account.First = c.Entry
	}
	known = t.plan.Stats.Has(c.Entry.Fingerprint())
	if known && t.account.Stopped == nil && t.handed < t.plan.Len() {
		t.account.Stopped = c.Entry
		t.stop()
	}
	return c.Entry, known
}

// drop takes note of how far the daemon has settled requests, each time when
// everything was read that the dead-letter topics held then. A request below
// that without a later record of its entry was dropped. The daemon writes
// first and commits then, but a new leader may show the two the other way round
// for a moment: a request is dropped when that was so in two looks after the
// one that saw it passed.
func (t *tally) drop(committed int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for place := t.passed[0]; place < t.passed[1]; place++ {
		if t.fates[place] != sent {
			continue
		}
		t.fates[place] = settledDropped
		t.account.Waiting--
		t.account.Dropped++
		if t.account.Lost == "" {
			t.account.Lost = t.plan.items[place].id
		}
		t.tell()
	}
	t.passed[0], t.passed[1] = t.passed[1], t.passed[2]
	for ; t.passed[2] < t.handed; t.passed[2]++ {
		if place := t.passed[2]; t.fates[place] == sent && (t.offsets[place] < 0 || t.offsets[place] >= committed) {
			break
		}
	}
}

// settled reports whether no request waits for its outcome.
func (t *tally) settled() bool { return t.now().Waiting == 0 }

func (t *tally) now() Account {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.account
}

func (t *tally) tell() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}
