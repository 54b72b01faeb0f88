package consume

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/unpack"
)

// Next waits for records and returns those that have arrived, in order: all,
// but for small steps after a crash (crash.go). It returns the cause when ctx ends.
func (p *Partition) Next(ctx context.Context) ([]*kgo.Record, error) {
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		batch, marked := p.takeQueued()
		if len(batch) > 0 {
			if marked && !p.markBatch(ctx, batch) {
				return nil, context.Cause(ctx)
			}
			return batch, nil
		}
		select {
		case <-p.ready:
		case <-ctx.Done():
		}
	}
}

// takeQueued takes what is handed out next from the queue, and reports whether it is to
// be marked first.
func (p *Partition) takeQueued() (batch []*kgo.Record, marked bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen || len(p.queue) == 0 {
		return nil, false
	}
	batch, p.handed = p.queue, p.arrived
	if k := p.marking; k != nil {
		batch = p.queue[:k.portion(p.queue)]
		marked = !k.off && (k.careful(batch[0].Offset) || k.sent != k.now)
	}
	if p.queue = p.queue[len(batch):]; len(p.queue) == 0 {
		p.queue = nil
	}
	p.taken, p.handedTo = p.taken+len(batch), batch[len(batch)-1].Offset+1
	for _, r := range batch {
		p.takenSize += p.size(r)
	}
	return batch, marked
}

// passUnread moves the watermark to where the client has read, once everything
// that was handed out is settled: what lies between are markers of transactions and
// records of aborted ones. p.mu is held.
func (p *Partition) passUnread() {
	if len(p.queue) == 0 && !p.frozen && p.queuedTo.Offset > p.handedTo && p.tracker.Watermark().Offset == p.handedTo {
		p.handedTo, p.dirty = p.queuedTo.Offset, true
		p.tracker.Advance(p.queuedTo, 0)
	}
}

// Release says that the records handed out by Next need no memory any longer, so
// that they do not fill the window.
func (p *Partition) Release() {
	p.mu.Lock()
	p.free(p.takenSize)
	p.taken, p.takenSize = 0, 0
	p.mu.Unlock()
	p.member.roomMade(p)
}

// add queues records of a poll that reached to last. Both in one step: what is read
// and not queued yet must not be taken for what is never queued (see passUnread).
func (p *Partition) add(records []*kgo.Record, last *kgo.Record) {
	p.mu.Lock()
	p.queuedTo = offsets.Position{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
	if len(p.queue) == 0 {
		p.arrived = time.Now()
	}
	p.queue = append(p.queue, records...)
	n := 0
	for _, r := range records {
		n += p.size(r)
	}
	p.free(-n)
	p.mu.Unlock()
	signal(p.ready)
}

// skipped returns how many records lie between the one that was expected and
// where the log begins now: retention has deleted them. next is where the one
// after those that came is expected.
func (p *Partition) skipped(logStart, next int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int64(0)
	if p.next >= 0 && logStart > p.next {
		n = logStart - p.next
	}
	p.next = next
	return n
}

// free gives back bytes of the window; p.mu is held.
func (p *Partition) free(n int) {
	if !p.fenced {
		p.bytes -= n
		p.member.bytes.Add(-int64(n))
	}
}

// load returns how many records and bytes are queued, taken or unsettled.
func (p *Partition) load() (records, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.records(), p.bytes
}

// Charge counts n more bytes as held for the records that Next handed out, such
// as what is made of them; a negative n gives back. Above the window the
// partition pauses when more of it is fetched. It ends with the assignment.
func (p *Partition) Charge(n int) {
	p.mu.Lock()
	p.free(-n)
	p.mu.Unlock()
	if n < 0 {
		p.member.roomMade(p)
	}
}

// decoded is how many times its record an outbox record takes once it is decoded:
// the alert's texts and the lane are beside it.
const decoded = 3

// OutboxSize is what an outbox record takes of the window, in bytes.
func OutboxSize(r *kgo.Record) int { return decoded * size(r) }

// size is what a record takes of the window.
func (p *Partition) size(r *kgo.Record) int {
	if p.member.p.OwnTopics {
		return OutboxSize(r)
	}
	return size(r)
}

// size is what a record takes in memory.
func size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value) + unpack.RecordCost
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + unpack.HeaderCost
	}
	return n
}
