package dlq

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
)

// each merges the spans, the newest record first.
func (r *Reader) each(ctx context.Context, spans []Span, q Query, f func(*Entry) bool) error {
	cursors := make([]*cursor, 0, len(spans))
	for _, s := range spans {
		c := &cursor{blocks: r.backwards(ctx, s)}
		defer c.blocks.close()
		cursors = append(cursors, c)
	}
	seen := make(map[uint64]struct{})
	tombs := make(map[uint64]*Entry) // closed entries whose last version is yet to come
	var scratch []kgo.RecordHeader
	q.Brief = q.Brief && !q.Raw
	parse := func(w *raw) *Entry {
		if !q.Brief {
			scratch = nil
		}
		rec, err := w.record(scratch)
		if err != nil {
			e := &Entry{Topic: w.topic, Partition: w.partition, Offset: w.offset, Key: w.key, Size: len(w.value)}
			e.ID, _ = idOf(w.key)
			return e.malformed(&kgo.Record{Key: w.key, Value: w.value, Timestamp: time.UnixMilli(w.at)}, err)
		}
		if !q.Brief {
			e := Parse(rec)
			if q.Raw {
				e.Record = rec
			}
			return e
		}
		scratch = rec.Headers
		e := open(rec)
		e.Envelope.Source.Headers = nil // they are the next one's
		return e
	}
	seed := maphash.MakeSeed()
	for {
		rec, err := newest(ctx, cursors)
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		if rec == nil {
			break
		}
		h := keyHash(seed, rec.topic, rec.key)
		if _, met := seen[h]; met {
			if tomb := tombs[h]; tomb != nil && rec.value != nil {
				delete(tombs, h)
				e := parse(rec)
				e.State, e.Closed = tomb.State, tomb.Closed
				if !f(e) {
					return nil
				}
			}
			continue
		}
		seen[h] = struct{}{}
		if rec.value == nil {
			if q.Closed {
				tombs[h] = closedEntry(rec)
			}
			continue
		}
		if !f(parse(rec)) {
			return nil
		}
	}
	return rest(tombs, f)
}

// rest gives those closed entries of which the tombstone is left alone.
func rest(tombs map[uint64]*Entry, f func(*Entry) bool) error {
	left := make([]*Entry, 0, len(tombs))
	for _, e := range tombs {
		if e.Closed.By != "" { // a delivery that was made after all, and never was an entry, has none
			left = append(left, e)
		}
	}
	slices.SortFunc(left, func(a, b *Entry) int { return b.Closed.At.Compare(a.Closed.At) })
	for _, e := range left {
		if !f(e) {
			return nil
		}
	}
	return nil
}

func keyHash(seed maphash.Seed, topic string, key []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(topic)
	_ = h.WriteByte(0)
	_, _ = h.Write(key)
	return h.Sum64()
}

// cursor stands at the newest record of a partition that was not taken yet.
type cursor struct {
	blocks  *blocks
	records []raw
	done    bool
}

func (c *cursor) fill(ctx context.Context) error {
	for len(c.records) == 0 && !c.done {
		select {
		case b, ok := <-c.blocks.next:
			if b.err != nil {
				return b.err
			}
			c.records, c.done = b.records, !ok
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return ctx.Err()
}

// newest takes the record that was written last; nil: there is none left.
func newest(ctx context.Context, cursors []*cursor) (*raw, error) {
	var best *cursor
	for _, c := range cursors {
		if err := c.fill(ctx); err != nil {
			return nil, err
		}
		if n := len(c.records); n > 0 && (best == nil || c.records[n-1].at > best.records[len(best.records)-1].at) {
			best = c
		}
	}
	if best == nil {
		return nil, nil
	}
	n := len(best.records) - 1
	rec := &best.records[n]
	best.records = best.records[:n]
	return rec, nil
}

func closedEntry(w *raw) *Entry {
	rec, err := w.record(nil)
	if err != nil { // the key is all there is of it
		rec = &kgo.Record{Topic: w.topic, Partition: w.partition, Offset: w.offset, Key: w.key}
	}
	c := parseClosing(rec)
	e := &Entry{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Key: rec.Key, State: c.State, Closed: c}
	e.ID, _ = idOf(rec.Key)
	e.Envelope = &envelope.Envelope{} // nothing is left of it but its id
	return e
}
