package consume

import (
	"context"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/offsets"
)

// A record that kills the process is read again by the next one. So that it does
// not stop alerting, a commit of a topic of Params.Marked says beside its offset
// what its owner has begun:
//
//   - While all is well, only that there is an owner. It says so once, before
//     the first record, and no more until it leaves; so marking costs nothing per
//     record.
//   - An owner that finds such a mark follows one that died. Up to the end that the
//     log had then it takes small batches, each marked before it is handed out, and
//     no two partitions of the member at once. So the next owner knows in which
//     batch the process died.
//   - That one takes the records of that batch one at a time, each marked: whatever
//     kills the process then is that record, or has nothing to do with any.
//   - A record at which the process died crashLimit times so is given to its
//     handler as one that crashes: see Partition.Crashes.
//
// What is suspected stays in the mark until it was handled: a process that dies of
// another partition's record forgets nothing. A mark delays what it is for by one
// commit. Where brokers take no commits, the partition goes without marks after
// markWithin, until it is assigned again.
const (
	crashLimit = 2
	// aloneUpTo is how many records there may be to suspect without knowing more:
	// they are taken one at a time at once.
	aloneUpTo = 16
	// largestStep is the largest batch that is handed out with a mark; the first has
	// one record, each further one twice as many.
	largestStep = 1024
	// suspectUpTo is how many offsets above its commit an owner that died can have
	// begun: what it may read ahead of a commit within commitInterval, generously.
	suspectUpTo = 1 << 18
	// markWithin is how long a mark may take.
	markWithin = 2 * time.Second
)

// marking is what a partition of a marked topic knows about crashes; the
// partition's mutex guards it.
type marking struct {
	suspect  offsets.CrashMark // what may have killed the former owner, as far as it was not handled
	until    int64             // below this offset records are handed out in marked steps
	step     int               // how many records the next one has
	now      offsets.CrashMark // what the next commit says
	sent     offsets.CrashMark // what the last commit said
	said     chan struct{}     // size 1: a commit was answered
	turn     bool              // it has the member's turn to handle what is marked
	off      bool              // brokers did not take a mark in time
	crashing int64             // the record handed out at which processes die; -1: it is not one
}

// suspects takes over what the former owner's commit said, of a log that ends at
// end.
func (p *Partition) suspects(former offsets.CrashMark, at, end int64) {
	k := &marking{suspect: offsets.Owned, step: 1, now: offsets.Owned, sent: former, said: make(chan struct{}, 1), crashing: -1}
	p.marking = k
	p.dirty = true // the mark that there is an owner
	if !former.Owned {
		return
	}
	if end == math.MaxInt64 || end > at+suspectUpTo {
		end = at + suspectUpTo
	}
	k.until = max(end, former.Last+1)
	switch {
	case former.Names():
		k.suspect.First, k.suspect.Last, k.suspect.Deaths = max(former.First, at), former.Last, former.Deaths
		if former.Alone {
			k.suspect.Deaths++
		}
	case end-at <= aloneUpTo:
		k.suspect.First, k.suspect.Last = at, end-1
	}
	k.now = k.suspect
	if k.until > at {
		p.member.log.Warn("former owner of partition did not leave, handling records in small steps", "topic", p.Topic, "partition", p.ID, "offset", at, "until", k.until)
	}
}

// portion returns how many of the queued records are handed out at once.
func (k *marking) portion(queue []*kgo.Record) int {
	at := queue[0].Offset
	switch {
	case !k.careful(at):
		return len(queue)
	case k.suspect.Holds(at):
		return 1
	}
	limit := k.until
	if at < k.suspect.First {
		limit = k.suspect.First
	}
	n := 0
	for n < min(len(queue), k.step) && queue[n].Offset < limit {
		n++
	}
	k.step = min(2*k.step, largestStep)
	return n
}

// careful reports whether a record is handed out in a marked step.
func (k *marking) careful(offset int64) bool { return !k.off && offset < k.until }

// markBatch marks a batch that is about to be handed out; false: ctx ended first.
func (p *Partition) markBatch(ctx context.Context, batch []*kgo.Record) bool {
	first, last := batch[0].Offset, batch[len(batch)-1].Offset
	p.mu.Lock()
	k := p.marking
	careful := k.careful(first)
	p.mu.Unlock()
	turn := careful && p.member.takeTurn(ctx)
	p.mu.Lock()
	k.turn, k.crashing = turn, -1
	if careful {
		k.begin(first, last)
	}
	p.mu.Unlock()
	return p.awaitMark(ctx)
}

// begin sets the mark of a step.
func (k *marking) begin(first, last int64) {
	suspected := k.suspect.Holds(first)
	k.now = offsets.CrashMark{Owned: true, First: first, Last: max(last, k.suspect.Last)}
	if !suspected {
		return
	}
	if k.suspect.First == k.suspect.Last { // else one of several: none is known to have killed
		k.now.Deaths = k.suspect.Deaths
	}
	if k.turn {
		k.now.Last, k.now.Alone = last, true
		if k.now.Deaths >= crashLimit {
			k.crashing = first
		}
	}
}

// awaitMark waits until the brokers have the partition's mark, which the commit loop
// brings them.
func (p *Partition) awaitMark(ctx context.Context) bool {
	deadline := time.NewTimer(markWithin)
	defer deadline.Stop()
	for !p.markSaid() {
		p.member.pace.commit(true)
		select {
		case <-p.marking.said:
		case <-deadline.C:
			p.mu.Lock()
			p.marking.off = true
			p.mu.Unlock()
			p.member.log.Warn("commit failed, a record that crashes the process will not be found", "topic", p.Topic, "partition", p.ID)
			return true
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// markSaid reports whether the brokers have the partition's mark.
func (p *Partition) markSaid() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.marking
	p.dirty = p.dirty || k.now != k.sent
	return k.now == k.sent
}

// takeTurn waits for the member's turn to handle what is marked. It is bounded: a
// record whose handling does not end must not hold up other partitions.
func (m *Member) takeTurn(ctx context.Context) bool {
	slow := time.NewTimer(markWithin)
	defer slow.Stop()
	select {
	case m.turn <- struct{}{}:
		return true
	case <-slow.C:
	case <-ctx.Done():
	}
	return false
}

// Handled says that the records handed out by Next, up to last, were looked at:
// what is still to be awaited for them cannot crash the process.
func (p *Partition) Handled(last int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.marking; k != nil {
		if k.suspect.Names() && last >= k.suspect.First {
			k.suspect.First, k.suspect.Deaths = last+1, 0
			if !k.suspect.Names() {
				k.suspect = offsets.Owned
			}
		}
		p.endStep()
	}
}

// Resume marks the records that are left of a step, after the handler has called Handled
// for those before them and has waited for something: a process that ends while it waits
// does not die of them. False: ctx ended first.
func (p *Partition) Resume(ctx context.Context, left []*kgo.Record) bool {
	p.mu.Lock()
	marked := p.marking != nil && p.marking.careful(left[0].Offset)
	p.mu.Unlock()
	return !marked || p.markBatch(ctx, left)
}

// endStep ends the step that was handed out, if there is one; p.mu is held.
func (p *Partition) endStep() {
	k := p.marking
	if k == nil {
		return
	}
	k.now, k.crashing = k.suspect, -1
	p.dirty = p.dirty || k.now != k.sent
	if k.turn {
		k.turn = false
		<-p.member.turn
		p.member.pace.commit(true) // a process that dies from now on did not die of it
	}
}

// giveUpStep ends the step of a handler that has returned.
func (p *Partition) giveUpStep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endStep()
}

// Crashes reports whether processes died while they handled this record, which
// was the last one handed out: it must not be handled again.
func (p *Partition) Crashes(r *kgo.Record) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.marking != nil && p.marking.crashing == r.Offset
}
