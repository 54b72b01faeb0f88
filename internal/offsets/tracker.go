package offsets

import "time"

// Tracker knows which records of one partition still need something done. It
// is pure: no goroutine, no lock, no clock; its owner guards it.
//
// It keeps the unsettled records in the order of the log. The watermark, the
// offset that may be committed, is the first unsettled one, else the one after
// the newest record begun: records need not have consecutive offsets, since
// compaction and transactions leave gaps.
//
// It also keeps the dedup state as of the watermark: the origins of settled
// records behind an unsettled one are carried by that one, and join the base when
// the watermark passes.
type Tracker struct {
	first, last *Entry
	next        Position // one after the newest record begun
	unsettled   int
	finished    int   // settled, ever
	newest      int64 // the highest offset that is settled
	gaps        int   // unsettled records with settled ones behind them
	tried       int   // unsettled records for which something was done
	base        Dedup
	// cut is where the log went back to while records above were unsettled; nil:
	// it did not. An offset says nothing then about what is settled above it.
	cut *Position
}

// Entry is one unsettled record.
type Entry struct {
	offset     int64
	size       int
	before     int32 // leader epoch of the record before it
	origin     Origin
	behind     Dedup // of the settled records between this and the next
	behindN    int
	prev, next *Entry
	settled    bool
	arrived    time.Time
	tried      Tried
}

// Offset is where the record stands.
func (e *Entry) Offset() int64 { return e.offset }

// Tried is what was done for the record so far.
func (e *Entry) Tried() Tried { return e.tried }

// Size is what the record takes of the window, in bytes.
func (e *Entry) Size() int { return e.size }

// Settled reports whether nothing more is owed for the record.
func (e *Entry) Settled() bool { return e.settled }

// Arrived is when the poll that brought the record returned.
func (e *Entry) Arrived() time.Time { return e.arrived }

// NewTracker returns a tracker that starts at the committed position, with the
// dedup state that was committed with it.
func NewTracker(start Position, base *Dedup) *Tracker {
	t := &Tracker{next: start, newest: -1}
	t.base.Merge(base)
	return t
}

// Begin adds a record. Records are begun in the order of the log; where that
// was cut off, and continues from a lower offset, nothing above it is committed
// until all that was begun is settled.
func (t *Tracker) Begin(at Position, size int, arrived time.Time, origin Origin) *Entry {
	if at.Offset < t.next.Offset && (t.cut == nil || at.Offset < t.cut.Offset) {
		t.cut = &at
	}
	e := &Entry{offset: at.Offset, size: size, arrived: arrived, before: t.next.Epoch, origin: origin, prev: t.last}
	if t.last != nil {
		t.last.next = e
	} else {
		t.first = e
	}
	t.last = e
	t.next = Position{Epoch: at.Epoch, Offset: at.Offset + 1}
	t.unsettled++
	return e
}

// Settle settles a record; settling twice changes nothing.
func (t *Tracker) Settle(e *Entry) {
	if e.settled {
		return
	}
	e.settled = true
	t.Try(e, Tried{})
	t.unsettled--
	t.finished++
	t.newest = max(t.newest, e.offset)
	if t.unsettled == 0 && t.cut != nil {
		t.cut, t.newest = nil, -1
	}
	if e.behindN > 0 {
		t.gaps--
	}
	if e.prev == nil {
		t.base.Seen(e.origin)
		t.base.take(&e.behind)
		t.first = e.next
	} else {
		if e.prev.behindN == 0 {
			t.gaps++
		}
		e.prev.behindN += 1 + e.behindN
		e.prev.behind.Seen(e.origin)
		e.prev.behind.take(&e.behind)
		e.prev.next = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		t.last = e.prev
	}
}

// Advance settles everything below a position, for a stage that handles
// records in order; n of its deliveries count as settled.
func (t *Tracker) Advance(next Position, n int) {
	t.next = next
	t.finished += n
}

// Watermark returns the position that may be committed: everything below it is
// settled.
func (t *Tracker) Watermark() Position {
	switch {
	case t.first == nil:
		return t.next
	case t.cut != nil && t.cut.Offset < t.first.offset:
		return *t.cut
	}
	return Position{Epoch: t.first.before, Offset: t.first.offset}
}

// Dedup returns the dedup state as of the watermark. It is the tracker's own:
// read it before the next call.
func (t *Tracker) Dedup() *Dedup { return &t.base }

// Unsettled returns how many records are begun and not settled.
func (t *Tracker) Unsettled() int { return t.unsettled }

// Finished returns how many records have been settled since the tracker was
// made, below the watermark or above it.
func (t *Tracker) Finished() int { return t.finished }

// Gaps returns how many runs of unsettled records have settled ones behind
// them: what a commit has to list.
func (t *Tracker) Gaps() int { return t.gaps }

// Splits reports whether settling a record would make one run of unsettled
// records two, and so the list longer.
func (t *Tracker) Splits(e *Entry) bool {
	return e.prev != nil && e.prev.behindN == 0 && e.behindN == 0
}

// Try notes what was done for an unsettled record.
func (t *Tracker) Try(e *Entry, tried Tried) {
	if e.tried != (Tried{}) {
		t.tried--
	}
	if tried != (Tried{}) {
		t.tried++
	}
	e.tried = tried
}

// Tried returns what was done for the unsettled records, by their offsets.
func (t *Tracker) Tried() map[int64]Tried {
	tried := make(map[int64]Tried, t.tried)
	for e := t.first; e != nil && len(tried) < t.tried; e = e.next {
		if e.tried != (Tried{}) {
			tried[e.offset] = e.tried
		}
	}
	return tried
}

// Next returns the position after the newest record begun.
func (t *Tracker) Next() Position { return t.next }

// Open returns what a commit of the watermark has to say about the records
// above it.
func (t *Tracker) Open() Gaps {
	g := NoGaps
	if t.first == nil || t.cut != nil || t.newest < t.first.offset {
		return g
	}
	g.newest = t.newest
	begin := t.first.offset
	for e := t.first; e != nil && e.offset < t.newest; e = e.next {
		if e.behindN > 0 {
			g.runs = append(g.runs, run{begin, e.offset})
			if e.next != nil {
				begin = e.next.offset
			}
		}
	}
	return g
}
