package dlq

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
)

const (
	firstBlock = 500      // records; small, so that they can be shown at once
	blockBytes = 32 << 20 // what a block should take in memory: several reads, of which the last reaches beyond it
	blockLimit = 64 << 20 // the most that a block of several records takes
)

var errBlockTooLarge = errors.New("block too large")

// cursor reads a span from its end to its start, in blocks.
type cursor struct {
	log     *Log
	span    Span          // what is not read yet
	size    int64         // offsets in the next block
	records []*kgo.Record // of the current block, in the order of the log
}

// newest returns the last record that was not taken; nil: there is none left.
func (c *cursor) newest(ctx context.Context) (*kgo.Record, error) {
	for len(c.records) == 0 && c.span.Start < c.span.End {
		low := max(c.span.Start, c.span.End-c.size)
		records, bytes, err := c.log.block(ctx, Span{c.span.Topic, c.span.Partition, low, c.span.End})
		if errors.Is(err, errBlockTooLarge) {
			c.size = max(1, c.size/8)
			continue
		}
		if err != nil {
			return nil, err
		}
		if bytes > 0 {
			c.size = min(c.size*4, max(1, (c.span.End-low)*blockBytes/int64(bytes)))
		}
		c.records, c.span.End = records, low
	}
	if len(c.records) == 0 {
		return nil, ctx.Err()
	}
	return c.records[len(c.records)-1], ctx.Err()
}

// block reads a span whole, and returns about how many bytes it takes.
func (l *Log) block(ctx context.Context, s Span) (block []*kgo.Record, bytes int, err error) {
	for at := s.Start; at < s.End; {
		records, next, err := l.Read(ctx, s.Topic, s.Partition, at, readBytes)
		if err != nil {
			return nil, 0, err
		}
		for _, r := range records {
			if r.Offset >= s.End {
				return block, bytes, nil
			}
			block = append(block, r)
			bytes += size(r)
		}
		if bytes > blockLimit && s.End-s.Start > 1 {
			return nil, 0, errBlockTooLarge
		}
		if next <= at { // the rest was compacted away
			break
		}
		at = next
	}
	return block, bytes, nil
}

// size is about how many bytes a record takes in memory.
func size(r *kgo.Record) int {
	n := 256 + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 64 + len(h.Key) + len(h.Value)
	}
	return n
}

// EachOf is Each over spans that Ends has returned.
func (r *Reader) EachOf(ctx context.Context, spans []Span, q Query, f func(*Entry) bool) error {
	cursors := make([]*cursor, len(spans))
	for i, s := range spans {
		cursors[i] = &cursor{log: r.Log, span: s, size: firstBlock}
	}
	parse := Parse
	if q.Brief && !q.Raw {
		parse = open
	}
	seed := maphash.MakeSeed()
	seen := make(map[uint64]struct{})
	closed := make(map[uint64]*Entry) // whose last version is yet to come
	for {
		rec, err := newest(ctx, cursors)
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		if rec == nil {
			return rest(closed, f)
		}
		key := keyHash(seed, rec.Topic, rec.Key)
		_, met := seen[key]
		seen[key] = struct{}{}
		tombstone := closed[key]
		switch {
		case rec.Value == nil:
			if q.Closed && !met {
				closed[key] = closedEntry(rec)
			}
			continue
		case met && tombstone == nil: // an earlier version
			continue
		}
		e := parse(rec)
		if q.Raw {
			e.Record = rec
		}
		if tombstone != nil {
			delete(closed, key)
			e.State, e.Closed = tombstone.State, tombstone.Closed
		}
		if !f(e) {
			return nil
		}
	}
}

// newest takes the record that was written last; nil: there is none left.
func newest(ctx context.Context, cursors []*cursor) (*kgo.Record, error) {
	var from *cursor
	var last *kgo.Record
	for _, c := range cursors {
		rec, err := c.newest(ctx)
		if err != nil {
			return nil, err
		}
		if rec != nil && (last == nil || rec.Timestamp.After(last.Timestamp)) {
			from, last = c, rec
		}
	}
	if from != nil {
		from.records[len(from.records)-1] = nil
		from.records = from.records[:len(from.records)-1]
	}
	return last, nil
}

// rest gives those closed entries of which the tombstone is left alone.
func rest(closed map[uint64]*Entry, f func(*Entry) bool) error {
	left := make([]*Entry, 0, len(closed))
	for _, e := range closed {
		if e.Closed.By != "" { // one of a delivery that never was an entry names nobody
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

func closedEntry(rec *kgo.Record) *Entry {
	c := parseClosing(rec)
	e := &Entry{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Key: rec.Key, State: c.State, Closed: c}
	e.ID, _ = idOf(rec.Key)
	e.Envelope = &envelope.Envelope{} // nothing is left of it but its id
	return e
}
