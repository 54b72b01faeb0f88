package deliverylog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// Reader reads the log, without joining a group.
type Reader struct {
	client *kgo.Client
	admin  *kadm.Client
	log    *dlq.Log
	topic  string
}

// NewReader returns a reader of a group's log over any client of the cluster.
func NewReader(client *kgo.Client, group string) *Reader {
	return &Reader{client: client, admin: kadm.NewClient(client), log: dlq.NewLog(client), topic: topics.Deliveries(group)}
}

// Topic returns the topic that is read.
func (r *Reader) Topic() string { return r.topic }

// Spans returns the parts of the log with the deliveries that ended in [since, until),
// as of now. A zero time is no bound.
func (r *Reader) Spans(ctx context.Context, since, until time.Time) ([]dlq.Span, error) {
	spans, err := r.log.Spans(ctx, r.topic)
	if err != nil {
		return nil, err
	}
	for _, bound := range []struct {
		at  time.Time
		set func(s *dlq.Span, offset int64)
	}{
		{since, func(s *dlq.Span, offset int64) { s.Start = max(s.Start, offset) }},
		{until, func(s *dlq.Span, offset int64) { s.End = min(s.End, offset) }},
	} {
		if bound.at.IsZero() {
			continue
		}
		offsets, err := r.admin.ListOffsetsAfterMilli(ctx, bound.at.UnixMilli(), r.topic)
		if err != nil {
			return nil, err
		}
		for i := range spans {
			o, ok := offsets.Lookup(r.topic, spans[i].Partition)
			if !ok || o.Err != nil {
				return nil, fmt.Errorf("offsets of %s by time: %w", r.topic, errors.Join(o.Err, offsets.Error()))
			}
			bound.set(&spans[i], o.Offset)
		}
	}
	return spans, nil
}

// chunkBytes is how many stored bytes of a partition are read at once.
const chunkBytes = 256 << 10

// Each calls f for the records of the spans in the order of their time until it
// returns false. maybe says of a record whether it is worth decoding; nil: all are.
// Records that are not ours are passed over. It holds one chunk of each partition.
func (r *Reader) Each(ctx context.Context, spans []dlq.Span, maybe func(*kgo.Record) bool, f func(*Record) bool) error {
	parts := make([]*cursor, 0, len(spans))
	for _, s := range spans {
		parts = append(parts, &cursor{span: s, at: s.Start})
	}
	for {
		var first *cursor
		for _, c := range parts {
			if err := c.fill(ctx, r.log, maybe); err != nil {
				return err
			}
			if len(c.records) > 0 && (first == nil || c.records[0].before(first.records[0])) {
				first = c
			}
		}
		if first == nil {
			return nil
		}
		next := first.records[0]
		first.records = first.records[1:]
		if !f(next.record) {
			return nil
		}
	}
}

// cursor is where one partition is read.
type cursor struct {
	span    dlq.Span
	at      int64 // the next offset to read
	records []stamped
}

// stamped is a record with its timestamp in the topic, which has milliseconds.
type stamped struct {
	at     time.Time
	record *Record
}

func (s stamped) before(other stamped) bool {
	if !s.at.Equal(other.at) {
		return s.at.Before(other.at)
	}
	return s.record.Ended.Before(other.record.Ended)
}

// fill reads on until there is a record, or no more of the span.
func (c *cursor) fill(ctx context.Context, log *dlq.Log, maybe func(*kgo.Record) bool) error {
	for len(c.records) == 0 && c.at < c.span.End {
		records, next, err := log.Read(ctx, c.span.Topic, c.span.Partition, c.at, chunkBytes)
		if err != nil {
			return err
		}
		for _, rec := range records {
			if rec.Offset >= c.span.End || maybe != nil && !maybe(rec) {
				continue
			}
			if record, err := Parse(rec); err == nil {
				c.records = append(c.records, stamped{rec.Timestamp, record})
			}
		}
		if next <= c.at {
			c.at = c.span.End // the rest is gone
		} else {
			c.at = next
		}
	}
	return nil
}

// idleAfter is how long Follow waits for records before it calls idle.
const idleAfter = 100 * time.Millisecond

// Follow calls f for what is written behind the ends of the spans, and idle when there
// is nothing more for now, until one returns false or ctx ends. The reader's client is
// made with dlq.TailOptions.
func (r *Reader) Follow(ctx context.Context, spans []dlq.Span, f func(*Record) bool, idle func() bool) error {
	from := make(map[int32]kgo.Offset)
	for _, s := range spans {
		from[s.Partition] = kgo.NewOffset().At(s.End)
	}
	r.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: from})
	for ctx.Err() == nil {
		within, cancel := context.WithTimeout(ctx, idleAfter)
		fetches := r.client.PollFetches(within)
		cancel()
		n := 0
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			if rec.Attrs.IsControl() {
				continue
			}
			n++
			if record, err := Parse(rec); err == nil && !f(record) {
				return nil
			}
		}
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
				return fmt.Errorf("read %s: %w", e.Topic, e.Err)
			}
		}
		if n == 0 && !idle() {
			return nil
		}
	}
	return nil
}
