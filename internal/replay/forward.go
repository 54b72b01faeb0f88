package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// pump forwards every request that may be now, in the order in which they were
// made; false means that ctx ended first.
func (a *assignment) pump(ctx context.Context) bool {
	for {
		due := a.due(ctx)
		if len(due) == 0 {
			return true
		}
		for len(due) > 0 {
			n, ok := a.forward(ctx, due)
			if !ok {
				return false
			}
			due = due[n:]
		}
	}
}

// due takes the requests out that may be forwarded now, and drops those whose
// version is superseded.
func (a *assignment) due(ctx context.Context) []*request {
	var due []*request
	for _, l := range a.lines {
		room := perChannel - l.forwarded
		if l.channel == "" && a.backlog.full() && !a.backlog.refresh(ctx, a.admin, topics.OutboxGroup(a.p.Group)) {
			continue
		}
		i := 0
		for ; i < len(l.queue) && room > 0 && len(due) < perChannel; i++ {
			q := l.queue[i]
			status := a.status(q)
			if status == Unread {
				break
			}
			if status != Current {
				a.settle(q, dropped)
				continue
			}
			q.state = forwarded
			l.forwarded++
			room--
			due = append(due, q)
		}
		l.queue = l.queue[i:]
	}
	sort.Slice(due, func(i, j int) bool { return due[i].offset < due[j].offset })
	a.forwarded = append(a.forwarded, due...)
	return due
}

// batch is what a few requests lead to: outbox records, new versions of
// entries, and entries that are closed once those are acknowledged.
type batch struct {
	*assignment
	deliveries []*envelope.Envelope
	dead       []*dlq.Entry
	closes     []*dlq.Closure
	bytes      int // of the entries
}

// maxBatch is how many bytes of entries a batch holds, and one entry more.
const maxBatch = 4 << 20

// forward reads the first entries, as many as a batch holds, and sends them on
// their way; it returns how many when that is acknowledged, or false when ctx
// ended first.
func (a *assignment) forward(ctx context.Context, due []*request) (sent int, ok bool) {
	b := &batch{assignment: a}
	defer func() { a.part.Charge(-b.bytes) }()
	for _, q := range due {
		if b.bytes > maxBatch {
			break
		}
		sent++
		e, edited, bytes, err := a.entry(ctx, q)
		if ctx.Err() != nil {
			return 0, false
		}
		if err != nil {
			a.log.Warn("replay request dropped", "entry", entryID(e), "version", q.version.offset, "by", q.run.by, "err", err)
			a.settle(q, dropped)
			continue
		}
		if e.Cause == outcome.Crashes && edited == nil && !a.spend(ctx, q, e) {
			return 0, false
		}
		b.bytes += bytes
		a.part.Charge(bytes)
		b.replay(q, e, edited)
	}
	a.forwarded = slices.DeleteFunc(a.forwarded, func(q *request) bool { return q.state == done })
	written, ok := a.p.Ingest.Write(ctx, a.part, b.deliveries, b.dead)
	if !ok {
		return 0, false
	}
	for i, r := range written {
		if e := b.deliveries[i]; e.Replay.Entry != e.Delivery {
			a.backlog.add(r)
		}
	}
	return sent, a.close(ctx, b.closes)
}

// spend writes the next version of an entry that has killed processes before it
// is handled once more, so that its request is settled if it does so again.
func (a *assignment) spend(ctx context.Context, q *request, e *dlq.Entry) bool {
	next := e.Again(q.run.by, a.p.MaxReplays)
	next.State, next.LastFailed = dlq.Quarantined, time.Now()
	_, ok := a.p.Ingest.Write(ctx, a.part, nil, []*dlq.Entry{next})
	return ok
}

func entryID(e *dlq.Entry) string {
	if e == nil {
		return ""
	}
	return e.ID
}

// close writes tombstones, and tries until ctx ends.
func (a *assignment) close(ctx context.Context, closes []*dlq.Closure) bool {
	wait := newBackoff()
	for len(closes) > 0 {
		err := a.p.Dead.CloseEntries(ctx, closes...)
		if err == nil {
			break
		}
		a.part.Hold(fmt.Sprintf("dead-letter topic %s cannot be written (%s): is it missing? run 'notifier topics check'", closes[0].Topic, brief(err)))
		if !sleep(ctx, wait.NextBackOff()) {
			return false
		}
	}
	a.part.Hold("")
	return true
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
	rec := a.fetch(ctx, q.topic, 0, q.version.offset)
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
	case e.Pointer && !q.edited:
		return e, nil, 0, errNoValue
	case a.index.Key(q.topic, e.ID) != q.version.entry:
		return e, nil, 0, errNoEntry
	}
	if !q.edited {
		return e, nil, bytes, nil
	}
	asked := a.fetch(ctx, a.part.Topic, a.part.ID, q.offset)
	if asked == nil {
		return e, nil, 0, errNoEntry
	}
	parsed, err := ParseRequest(asked)
	return e, parsed.Edited, bytes + len(parsed.Edited), err
}

// fetch returns the record at an offset; nil: there is none.
func (a *assignment) fetch(ctx context.Context, topic string, partition int32, offset int64) *kgo.Record {
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
			a.part.Hold("")
			return find(records)
		}
		a.part.Hold(fmt.Sprintf("topic %s cannot be read (%s)", topic, brief(err)))
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
