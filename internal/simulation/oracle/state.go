package oracle

import (
	"slices"
	"time"
)

// member is a partition as a group reads it.
type member struct {
	group string
	partition
}

type owned struct {
	by int
	partition
}

// writing is a lane of an outbox partition, as a process makes it of an input.
type writing struct {
	input  owned
	outbox partition
	lane   string
}

// sender is a process and the outbox topic it sends from.
type sender struct {
	by    int
	topic string
}

// tally counts what happens. What happens at the same instant as an attempt
// begins may have come before the attempt was decided on, or after.
type tally struct {
	n, before int // in all, and before the last instant
	at        time.Duration
}

func (t tally) one(at time.Duration) tally {
	if at > t.at {
		t.before, t.at = t.n, at
	}
	t.n++
	return t
}

// until returns how much had happened for certain before an instant.
func (t tally) until(at time.Duration) int {
	if at == t.at {
		return t.before
	}
	return t.n
}

type commit struct {
	offset int64
	above  []Span
	when   int // it was asked for
}

// claim is a commit that was asked for.
type claim struct {
	by     int
	offset int64
	above  []Span
	when   int
	cut    bool // before the client took the log for cut off
}

// covers reports whether the commit says that an offset is finished.
func (c commit) covers(offset int64) bool {
	return offset < c.offset || slices.ContainsFunc(c.above, func(s Span) bool { return s.First <= offset && offset <= s.Last })
}

// record is one record of an outbox.
type record struct {
	Happening
	item      *item
	flying    map[int]int // attempts that have no answer, by whom
	duplicate bool        // there was one with this id before, or its input was committed further on
	bare      bool        // the dedup state for it is lost
	moved     bool        // it is in another channel's outbox
}

// item is one delivery, or one replay of a dead letter.
type item struct {
	id       string
	entry    string // the dead letter that this is a replay of
	version  int64
	records  int
	promised bool
	permits  int   // how often it may be delivered again
	movedTo  *item // the delivery to another channel that has taken its place
	policy   Policy
	queued   Happening
	circumstances
	sends
}

// circumstances are what excuses a delivery: see excuses.go.
type circumstances struct {
	stray     bool // an attempt outlived its assignment, and the partition came back to who made it
	scattered bool // its records are in several partitions, whose readers do not know of each other
	raised    bool // a rule has sent it to this channel
	came      bool // it was moved to it
	lost      bool // with a topic that an operator deleted
}

// sends is what came of a delivery's attempts.
type sends struct {
	delivered int
	whole     bool // delivered to all that were left
	partly    bool // and once to some only
	unclear   int
	answers   map[int][]Result // by whom
	witness   map[int]int      // who has tried it, and how many others it had delivered then
	by        int              // who delivered it last, and whether it was the owner then
	byOwner   bool
	when      int
	// deferredBy is whose attempt some recipients deferred: the next of the lane
	// does not wait for them.
	deferredBy []int
}

// base is the delivery that a replay is of.
func (it *item) base() string {
	for i := range it.id {
		if it.id[i] == '@' {
			return it.id[:i]
		}
	}
	return it.id
}

// deadLetter is one dead letter.
type deadLetter struct {
	topic   string
	last    int64 // the offset of its last record
	written []version
	open    bool
	from    Place
	item    *item // that it is of
	byOwner bool  // who wrote it owned the delivery then: else it may be superfluous
	when    int
}

// version is one record of a dead letter: its offset, and which happening it was.
type version struct {
	offset int64
	when   int
}

// owns reports whether an owner has a partition, in any group.
func (j *Judge) owns(o owned) bool {
	for m, by := range j.owners {
		if m.partition == o.partition && by == o.by {
			return true
		}
	}
	return false
}

func (j *Judge) at(p partition, offset int64) *record {
	if rs := j.records[p]; offset >= 0 && offset < int64(len(rs)) {
		return rs[offset]
	}
	return nil
}
