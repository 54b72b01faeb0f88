package consume

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A record that kills the process is read again by the next one. So that it
// does not stop alerting, a commit of a topic of Params.Marked says beside its offset
// what its owner has begun:
//
//   - While all is well, only that there is an owner. It says so once, before
//     the first record, and no more until it leaves; so marking costs nothing per
//     record.
//   - An owner that finds such a mark follows one that died. It takes small
//     batches, each marked before it is handed out, up to the end that the log had
//     then. The batch in which the process dies is known to the next owner.
//   - That one takes the records of that batch one at a time, each marked, and no
//     other partition of this member has such a mark meanwhile: whatever kills
//     the process then is that record, or has nothing to do with any.
//   - A record at which the process died crashLimit times so is given to its
//     handler as one that crashes: see Partition.Crashes.
//
// A mark delays what it is for by one commit. Where brokers take no commits, the
// partition goes without marks after markWithin, until it is assigned again.
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

// mark is what a commit says about the records that its owner handles.
type mark struct {
	owned       bool  // there is an owner that has not left
	first, last int64 // what it has begun; last below first: not said
	alone       bool  // one record, and no other partition has begun any
	deaths      int   // how many owners died at it alone before
}

var unmarked = mark{first: 0, last: -1}

func (k mark) names() bool { return k.last >= k.first }

func (k mark) String() string {
	switch {
	case !k.owned:
		return ""
	case !k.names():
		return "+"
	case k.alone:
		return fmt.Sprintf("+%d!%d", k.first, k.deaths)
	}
	return fmt.Sprintf("+%d-%d", k.first, k.last)
}

var errMark = errors.New("the mark of what was begun is damaged")

func parseMark(text string) (mark, error) {
	k := unmarked
	if text == "" {
		return k, nil
	}
	rest, ok := strings.CutPrefix(text, "+")
	k.owned = ok
	switch {
	case !ok:
		return unmarked, errMark
	case rest == "":
		return k, nil
	case strings.Contains(rest, "!"):
		k.alone = true
		_, err := fmt.Sscanf(rest, "%d!%d", &k.first, &k.deaths)
		k.last = k.first
		ok = err == nil
	default:
		_, err := fmt.Sscanf(rest, "%d-%d", &k.first, &k.last)
		ok = err == nil
	}
	if !ok || k.first < 0 || k.last < k.first || k.deaths < 0 || k.String() != text {
		return unmarked, errMark
	}
	return k, nil
}

// marking is what a partition of a marked topic knows about crashes; the
// partition's mutex guards it.
type marking struct {
	suspect  mark          // what the former owner had begun when it died; alone: one record
	until    int64         // below this offset records are handed out in marked steps
	step     int           // how many the next one has
	now      mark          // what the next commit says
	sent     mark          // what the last commit said
	said     chan struct{} // size 1: a commit was answered
	turn     bool          // it has the member's turn to handle one record alone
	off      bool          // brokers did not take a mark in time
	crashing int64         // the record handed out at which processes die; -1: it is not one
}

// suspects takes over what the former owner's commit said, of a log that ends at
// end.
func (p *Partition) suspects(former mark, at, end int64) {
	k := &marking{suspect: unmarked, step: 1, now: mark{owned: true, last: -1}, sent: former, said: make(chan struct{}, 1), crashing: -1}
	p.marking = k
	p.dirty = true // the mark that there is an owner
	if !former.owned {
		return
	}
	if end == math.MaxInt64 || end > at+suspectUpTo {
		end = at + suspectUpTo
	}
	k.until = max(end, former.last+1)
	switch {
	case former.names():
		k.suspect = former
	case end-at <= aloneUpTo:
		k.suspect.last = end - 1
		k.suspect.first = at
	}
	if k.until > at {
		p.member.log.Warn("former owner of partition did not leave, handling records in small steps", "topic", p.Topic, "partition", p.ID, "offset", at, "until", k.until)
	}
}

// portion returns how many of the queued records are handed out at once.
func (k *marking) portion(queue []*kgo.Record) int {
	at := queue[0].Offset
	if k.off || at >= k.until {
		return len(queue)
	}
	if k.suspect.names() && at >= k.suspect.first && at <= k.suspect.last {
		return 1
	}
	limit := k.until
	if k.suspect.names() && at < k.suspect.first {
		limit = k.suspect.first
	}
	n := 0
	for n < min(len(queue), k.step) && queue[n].Offset < limit {
		n++
	}
	k.step = min(2*k.step, largestStep)
	return n
}

// markBatch marks a batch that is about to be handed out; false: ctx ended first.
func (p *Partition) markBatch(ctx context.Context, batch []*kgo.Record) bool {
	first, last := batch[0].Offset, batch[len(batch)-1].Offset
	p.mu.Lock()
	k := p.marking
	next := mark{owned: true, last: -1}
	alone := false
	if first < k.until {
		next.first, next.last = first, last
		alone = k.suspect.names() && first >= k.suspect.first && last <= k.suspect.last
		if k.suspect.alone {
			next.deaths = k.suspect.deaths + 1
		}
	}
	p.mu.Unlock()
	if alone && p.member.takeTurn(ctx) {
		next.alone = true
	} else {
		next.deaths = 0
	}
	p.mu.Lock()
	k.turn, k.now, k.crashing = next.alone, next, -1
	if next.deaths >= crashLimit {
		k.crashing = first
	}
	p.mu.Unlock()
	return p.awaitMark(ctx)
}

// awaitMark waits until the brokers have the partition's mark, which the commit loop
// brings them.
func (p *Partition) awaitMark(ctx context.Context) bool {
	deadline := time.NewTimer(markWithin)
	defer deadline.Stop()
	for !p.markSaid() {
		p.member.wake()
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

// takeTurn waits for the member's turn to handle one record alone. It is bounded:
// a record whose handling does not end must not hold up other partitions.
func (m *Member) takeTurn(ctx context.Context) bool {
	slow := time.NewTimer(markWithin)
	defer slow.Stop()
	select {
	case m.alone <- struct{}{}:
		return true
	case <-slow.C:
	case <-ctx.Done():
	}
	return false
}

// Handled says that the records handed out by Next were looked at: what is still
// to be awaited for them cannot crash the process. Next says so too.
func (p *Partition) Handled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.marking
	if k == nil {
		return
	}
	k.now, k.crashing = mark{owned: true, last: -1}, -1
	p.dirty = p.dirty || k.now != k.sent
	if k.turn {
		k.turn = false
		<-p.member.alone
		p.member.wake() // a process that dies from now on did not die of it
	}
}

// Crashes reports whether processes died while they handled this record, which
// was the last one handed out: it must not be handled again.
func (p *Partition) Crashes(r *kgo.Record) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.marking != nil && p.marking.crashing == r.Offset
}
