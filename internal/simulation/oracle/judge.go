package oracle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Limits are what a history is measured by.
type Limits struct {
	// Uncommitted is how many deliveries of one outbox partition may be settled
	// and not committed.
	Uncommitted int
	// Overtaken reports of a record of an outbox whether a process said that later
	// ones of its input may be before it, since the outbox refused it at first. nil:
	// of none.
	Overtaken func(h Happening) bool
}

func (l Limits) overtaken(h Happening) bool { return l.Overtaken != nil && l.Overtaken(h) }

// Judge goes through a history, one happening after the other. It has a field
// for each thing that it remembers of it, and a method for each kind of happening.
type Judge struct {
	limits Limits
	n      int // happenings
	faults []Violation

	events   map[Place]string // the digests of what was produced
	work     map[owned]map[int64]Happening
	records  map[partition][]*record // of outboxes
	items    map[string]*item
	dead     map[string]*deadLetter
	requests map[Place]*Happening
	sent     map[string][]Happening // by throttle key: what was delivered

	owners    map[member]int
	claims    map[member][]claim
	commits   map[member]commit
	cuts      map[member]int64 // where a log was said to end, until its owner commits back to there
	high      map[member]int64 // the highest offset ever committed
	touched   map[owned]map[int64]bool
	since     map[owned]int     // when an owner first had a partition
	delivered map[sender]tally  // deliveries that succeeded
	joined    map[owned]int     // how many an owner had delivered when it last got a partition
	stale     map[owned]int     // what a former owner settled
	regained  map[owned]bool    // an owner has it for the second time, or more
	newest    map[writing]int64 // the highest offset that a lane's records were made of
	last      Happening
}

// Violation is a promise that was broken, and by which happening.
type Violation struct {
	Index   int // in the history; its length: at the end
	Promise string
	Text    string
}

func (v Violation) String() string { return fmt.Sprintf("#%d %s: %s", v.Index, v.Promise, v.Text) }

// New returns a judge.
func New(l Limits) *Judge {
	return &Judge{
		limits: l, events: make(map[Place]string), work: make(map[owned]map[int64]Happening), records: make(map[partition][]*record),
		items: make(map[string]*item), dead: make(map[string]*deadLetter), requests: make(map[Place]*Happening), sent: make(map[string][]Happening),
		owners: make(map[member]int), claims: make(map[member][]claim), commits: make(map[member]commit), cuts: make(map[member]int64), high: make(map[member]int64),
		touched: make(map[owned]map[int64]bool), delivered: make(map[sender]tally), joined: make(map[owned]int), stale: make(map[owned]int), since: make(map[owned]int), newest: make(map[writing]int64), regained: make(map[owned]bool),
	}
}

// Check judges a whole history, at whose end everything was well for long
// enough: nothing may be left over.
func Check(history []Happening, l Limits) []Violation {
	j := New(l)
	for _, h := range history {
		j.Add(h)
	}
	return j.End()
}

// Violations returns what was found up to now.
func (j *Judge) Violations() []Violation { return j.faults }

func (j *Judge) fault(promise, format string, args ...any) {
	j.faults = append(j.faults, Violation{j.n, promise, fmt.Sprintf(format, args...)})
}

// Add judges the next happening.
func (j *Judge) Add(h Happening) {
	switch h.Kind {
	case Produced:
		j.events[h.Place] = h.Digest
	case Matched:
		o := owned{h.By, h.Place.partition()}
		if j.work[o] == nil {
			j.work[o] = make(map[int64]Happening)
		}
		j.work[o][h.Place.Offset] = h
	case Queued:
		j.queued(h)
	case Entered:
		j.entered(h)
	case Closed:
		j.closed(h)
	case Requested:
		j.requests[h.Place] = &h
	case Assigned:
		m := member{h.Group, h.Place.partition()}
		j.owners[m] = h.By
		delete(j.claims, m)
		delete(j.cuts, m) // it begins at the last commit
		j.assigned(owned{h.By, m.partition})
	case Left:
		j.left(h)
	case Started:
		j.started(h)
	case Answered:
		j.answered(h)
	case Claimed:
		j.claimed(h)
	case Committed:
		j.committed(h)
	case Cut:
		j.cut(h)
	case Reset:
		j.reset(h)
	case Recreated:
		j.recreated(h)
	}
	j.n++
	j.last = h
}

// recreated: what was in the topic and not sent is lost, and so is the dedup state of
// its readers: what is written again is sent again. A dead letter that is lost counts
// as closed.
func (j *Judge) recreated(h Happening) {
	for p, rs := range j.records {
		if p.topic != h.Place.Topic || p.instance >= h.Place.Instance {
			continue
		}
		for _, r := range rs {
			if r != nil {
				r.item.lost = true
				r.item.permits++
			}
		}
	}
	for _, l := range j.dead {
		if l.topic == h.Place.Topic {
			l.last++ // no record has this offset: one that follows has a higher one
			l.open = false
		}
	}
}

// End judges what is left over and returns all violations.
func (j *Judge) End() []Violation {
	for _, id := range slices.Sorted(maps.Keys(j.items)) {
		it := j.items[id]
		if it.promised && !j.ended(it, j.last) {
			j.fault("nothing lost", "%s was raised and committed, and has no outcome", id)
		}
		if l := j.dead[it.base()]; l != nil && it.leavesOpen(l) && !excusedOpen(l, it) {
			j.fault("dead letters", "%s stays open although it was delivered after it was written", id)
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(j.records), func(a, b partition) int { return cmpPartition(a, b) }) {
		for _, r := range j.records[p] {
			if r != nil && !r.duplicate && !r.moved && !j.ended(r.item, j.last) {
				j.fault("progress", "%s at %s has no outcome although nothing is broken", r.item.id, r.Place)
			}
		}
	}
	return j.faults
}

func cmpPartition(a, b partition) int {
	return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.instance, b.instance), cmp.Compare(a.id, b.id))
}
