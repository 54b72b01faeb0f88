package replay

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// pump begins to forward the requests that may be now, in the order of each
// line; false means that ctx ended first. A line whose batch is being written
// waits for that: a topic that cannot be written holds up no other line.
func (a *assignment) pump(ctx context.Context) bool {
	for _, l := range a.lines {
		if l.writing || len(l.queue) == 0 {
			continue
		}
		if l.channel == "" && a.backlog.full() && !a.backlog.refresh(ctx, a.admin, topics.OutboxGroup(a.p.Group)) {
			continue
		}
		b, ok := a.next(ctx, l)
		if !ok {
			return false
		}
		if b.empty() {
			continue
		}
		l.writing = true
		a.writes.Go(func() {
			if !b.write(ctx) {
				return
			}
			select {
			case a.written <- b:
			case <-ctx.Done():
			}
		})
	}
	return true
}

// batch is what a few requests of a line lead to: outbox records, new versions of
// entries, and entries that are closed once those are acknowledged.
type batch struct {
	*assignment
	line       *line
	deliveries []*envelope.Envelope
	dead       []*dlq.Entry
	closes     []*dlq.Closure
	resends    []*request    // settled once the deliveries are acknowledged
	bytes      int           // of the entries
	records    []*kgo.Record // of the deliveries, once they are written
}

// maxBatch is how many bytes of entries a batch holds, and one entry more.
const maxBatch = 1 << 20

func (b *batch) empty() bool { return len(b.deliveries)+len(b.dead)+len(b.closes) == 0 }

// next takes the requests of a line out that may be forwarded now, as many as a
// batch holds, and drops those whose version is superseded; false means that ctx
// ended first.
func (a *assignment) next(ctx context.Context, l *line) (b *batch, ok bool) {
	b = &batch{assignment: a, line: l}
	checked := make(map[string]bool) // topics of which the index is not out of date
	for len(l.queue) > 0 && l.forwarded < perChannel && b.bytes <= maxBatch {
		q := l.queue[0]
		if q.resend != nil {
			l.queue = l.queue[1:]
			if !b.resend(ctx, q) {
				return nil, false
			}
			continue
		}
		status := a.status(q)
		if status == Unread {
			break
		}
		if status != Current && !checked[q.topic] {
			if reads, err := a.index.Reads(ctx, q.topic); !reads || err != nil {
				break // it waits until the index has read the new topic
			}
			checked[q.topic] = true
			continue
		}
		l.queue = l.queue[1:]
		if status != Current {
			a.settle(q, dropped)
			continue
		}
		e, edited, bytes, err := a.entry(ctx, q)
		if ctx.Err() != nil {
			return nil, false
		}
		if err != nil {
			a.log.Warn("replay request dropped", "entry", entryID(e), "version", q.version.offset, "by", q.run.by, "err", err)
			a.settle(q, dropped)
			continue
		}
		if e.Cause == outcome.Crashes && edited == nil && !a.spend(ctx, q, e) {
			return nil, false
		}
		q.state = forwarded
		l.forwarded++
		a.forwarded = append(a.forwarded, q)
		b.bytes += bytes
		a.part.Charge(bytes)
		b.replay(ctx, q, e, edited)
		if ctx.Err() != nil {
			return nil, false
		}
	}
	return b, true
}

// write writes what the batch leads to; false means that ctx ended first.
func (b *batch) write(ctx context.Context) (ok bool) {
	b.records, ok = b.p.Ingest.Write(ctx, b.part, b.deliveries, b.dead, b.blocked(b.line))
	return ok && b.close(ctx)
}

// wrote takes a batch into account that was written.
func (a *assignment) wrote(b *batch) {
	b.line.writing = false
	a.part.Charge(-b.bytes)
	for i, r := range b.records {
		if e := b.deliveries[i]; e.Replay.Entry != e.Delivery {
			a.backlog.add(r)
		}
	}
	for _, q := range b.resends {
		a.settle(q, resent)
	}
}

// blocked says why a line waits; "" that it does not. The partition shows the
// reason of one that does.
func (a *assignment) blocked(l *line) func(reason string) {
	return func(reason string) {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.reasons, l)
		if reason != "" {
			a.reasons[l] = reason
		}
		shown := ""
		for _, r := range a.reasons {
			shown = max(shown, r)
		}
		a.part.Hold(shown)
	}
}

// spend writes the next version of an entry that has killed processes before it
// is handled once more, so that its request is settled if it does so again.
func (a *assignment) spend(ctx context.Context, q *request, e *dlq.Entry) bool {
	next := e.Again(q.run.by, a.p.MaxReplays)
	next.State, next.LastFailed = dlq.Quarantined, time.Now()
	_, ok := a.p.Ingest.Write(ctx, a.part, nil, []*dlq.Entry{next}, a.blocked(q.line))
	return ok
}

func entryID(e *dlq.Entry) string {
	if e == nil {
		return ""
	}
	return e.ID
}

// close writes tombstones, and tries until ctx ends.
func (b *batch) close(ctx context.Context) bool {
	if len(b.closes) == 0 {
		return true
	}
	blocked, wait := b.blocked(b.line), newBackoff()
	for {
		err := b.p.Dead.CloseEntries(ctx, b.closes...)
		if err == nil {
			blocked("")
			return true
		}
		blocked(fmt.Sprintf("dead-letter topic %s cannot be written (%s): is it missing? run 'notifier topics check'", b.closes[0].Topic, brief(err)))
		if !sleep(ctx, wait.NextBackOff()) {
			return false
		}
	}
}

var (
	errNoEntry     = errors.New("that version of the entry does not exist")
	errMalformed   = errors.New("the entry is malformed")
	errQuarantined = errors.New("the entry is quarantined and the request has no force")
	errNoValue     = errors.New("the entry's value was too large to be kept; it can only be sent with an edited one")
)

// chunkBytes is how much is read of a dead-letter topic at once: the entries
// of a run stand one behind the other.
const chunkBytes = 1 << 20

// entry reads the entry that a request names, and what it was edited to; bytes
// is how much they take. It tries until ctx ends while the brokers do not answer.
func (a *assignment) entry(ctx context.Context, q *request) (e *dlq.Entry, edited []byte, bytes int, err error) {
	rec := a.fetch(ctx, q.line, q.topic, 0, q.version.offset)
	if rec == nil || rec.Value == nil {
		return nil, nil, 0, errNoEntry
	}
	bytes = len(rec.Value)
	for _, h := range rec.Headers {
		bytes += len(h.Key) + len(h.Value)
	}
	e = dlq.Parse(rec)
	switch {
	case e.State == dlq.Malformed, isDelivery(e) && e.Envelope.Delivery != e.ID:
		return e, nil, 0, errMalformed
	case e.State == dlq.Quarantined && !q.force:
		return e, nil, 0, errQuarantined
	case e.Pointer && !e.AtSource() && !q.edited:
		return e, nil, 0, errNoValue
	case a.index.Key(q.topic, e.ID) != q.version.entry:
		return e, nil, 0, errNoEntry
	}
	if !q.edited {
		if e.Pointer {
			whole, more := a.original(ctx, q, e)
			return whole, nil, bytes + more, nil
		}
		return e, nil, bytes, nil
	}
	asked := a.fetch(ctx, q.line, a.part.Topic, a.part.ID, q.offset)
	if asked == nil {
		return e, nil, 0, errNoEntry
	}
	parsed, err := ParseRequest(asked)
	return e, parsed.Edited, bytes + len(parsed.Edited), err
}

// fetch returns the record at an offset; nil: there is none.
func (a *assignment) fetch(ctx context.Context, l *line, topic string, partition int32, offset int64) *kgo.Record {
	find := func(records []*kgo.Record) *kgo.Record {
		i := sort.Search(len(records), func(i int) bool { return records[i].Offset >= offset })
		if i < len(records) && records[i].Offset == offset {
			return records[i]
		}
		return nil
	}
	if rec := find(a.chunk[topic]); rec != nil {
		return rec
	}
	wait := newBackoff()
	for ctx.Err() == nil {
		records, _, err := a.reader.Read(ctx, topic, partition, offset, chunkBytes)
		if err == nil {
			a.chunk[topic] = records
			a.blocked(l)("")
			return find(records)
		}
		a.blocked(l)(fmt.Sprintf("topic %s cannot be read (%s)", topic, brief(err)))
		sleep(ctx, wait.NextBackOff())
	}
	return nil
}

func newBackoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(250*time.Millisecond), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
}

// sleep waits for d and reports whether ctx was still alive then.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// brief is an error in a few words: Kafka's own code where there is one.
func brief(err error) string {
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return ke.Message
	}
	return err.Error()
}
