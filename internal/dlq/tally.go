package dlq

import (
	"slices"
	"strings"
	"sync"

	"github.com/algotrade/notifier/internal/topics"
)

// fate is what became of a planned entry.
type fate uint8

const (
	unsent fate = iota
	sent
	overtaken
	refused // the brokers did not take the request
	settledResolved
	settledReopened
	settledDiscarded
	settledDropped
)

// tally keeps what became of each entry of a plan. The submitting and the
// watching goroutine share it.
//
// An outcome may be seen before the request's own acknowledgement: the daemon
// can be faster than our client. So what counts as sent is decided when the
// request is handed over, and taken back if it is refused.
type tally struct {
	plan    *Plan
	watched bool
	topics  []string      // the dead-letter topics, by route
	byID    []uint32      // items by id and topic
	changed chan struct{} // size 1: an outcome came
	stop    func()        // called when a known cause failed again

	mu      sync.Mutex
	fates   []fate  // by item
	offsets []int64 // of the requests, by place; -1: not known
	handed  int     // places that were gone through
	passed  [3]int  // see drop
	account Account
}

// newTally returns a tally; one that is not watched only counts.
func newTally(p *Plan, group string, watched bool, stop func()) *tally {
	t := &tally{plan: p, watched: watched, changed: make(chan struct{}, 1), stop: stop}
	t.account.Planned, t.account.Watched = p.Len(), watched
	if !watched {
		return t
	}
	t.fates = make([]fate, p.Len())
	t.offsets = make([]int64, p.Len())
	for i := range t.offsets {
		t.offsets[i] = -1
	}
	for _, r := range p.routes {
		t.topics = append(t.topics, topics.DeadLetter(group, topics.Name(r.topic)))
	}
	t.byID = slices.Clone(p.order)
	slices.SortFunc(t.byID, func(a, b uint32) int { return strings.Compare(p.items.at(a).id, p.items.at(b).id) })
	return t
}

// take hands out the entry at a place, unless it was overtaken.
func (t *tally) take(place int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handed = place + 1
	if t.watched {
		f := &t.fates[t.plan.order[place]]
		if *f != unsent {
			return false
		}
		*f = sent
	}
	t.account.Sent++
	t.account.Waiting++
	return true
}

// acknowledged takes note of where the request of a place stands; an error
// says that it stands nowhere.
func (t *tally) acknowledged(place int, offset int64, err error) {
	if !t.watched && err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.offsets[place] = offset
		return
	}
	if t.watched {
		f := &t.fates[t.plan.order[place]]
		if *f != sent { // it stands there all the same: it has an outcome
			return
		}
		*f = refused
	}
	t.account.Sent--
	t.account.Waiting--
	t.tell()
}

// see takes note of a change of an entry. It returns the entry if it is one of
// the run's that failed again, and whether the plan knew the cause.
func (t *tally) see(c Change) (again *Entry, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.find(c)
	if !ok || c.Offset <= t.plan.items.at(i).version {
		return nil, false
	}
	f := &t.fates[i]
	switch *f {
	case unsent:
		*f = overtaken
		t.account.Overtaken++
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
	case c.Entry == nil && c.Closed.State == Resolved:
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
	if c.Entry.State == Quarantined {
		t.account.Quarantined++
	}
	if t.account.First == nil {
		t.account.First = c.Entry
	}
	known = t.plan.knows(c.Entry.Fingerprint())
	if known && t.account.Stopped == nil && t.handed < t.plan.Len() {
		t.account.Stopped = c.Entry
		t.stop()
	}
	return c.Entry, known
}

func (t *tally) find(c Change) (uint32, bool) {
	at, _ := slices.BinarySearchFunc(t.byID, c.ID, func(i uint32, id string) int { return strings.Compare(t.plan.items.at(i).id, id) })
	for ; at < len(t.byID) && t.plan.items.at(t.byID[at]).id == c.ID; at++ {
		if i := t.byID[at]; t.topics[t.plan.items.at(i).route] == c.Topic {
			return i, true
		}
	}
	return 0, false
}

// drop takes note of how far the daemon has settled requests, each time when
// everything was read that stood in the dead-letter topics before. A request
// below that without a later record of its entry was dropped. The daemon
// writes first and commits then, but a new leader may show the two the other
// way round for a moment: a request is dropped when that has been so in two
// looks after the one that saw it passed.
func (t *tally) drop(committed int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for place := t.passed[0]; place < t.passed[1]; place++ {
		i := t.plan.order[place]
		if t.fates[i] != sent {
			continue
		}
		t.fates[i] = settledDropped
		t.account.Waiting--
		t.account.Dropped++
		if t.account.Lost == "" {
			t.account.Lost = t.plan.items.at(i).id
		}
		t.tell()
	}
	t.passed[0], t.passed[1] = t.passed[1], t.passed[2]
	for t.passed[2] < t.handed {
		place := t.passed[2]
		if f := t.fates[t.plan.order[place]]; f == sent && (t.offsets[place] < 0 || t.offsets[place] >= committed) {
			break
		}
		t.passed[2]++
	}
}

// settled reports whether no request waits for its outcome.
func (t *tally) settled() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.account.Waiting == 0
}

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
