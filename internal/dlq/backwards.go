package dlq

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	firstBlock = 500      // records; small, so that they can be shown at once
	blockBytes = 32 << 20 // of memory that a block should take
	blockLimit = 64 << 20 // of memory that a block of several records may take
)

// cursor reads a span from its end to its start, in blocks.
type cursor struct {
	log     *Log
	span    Span          // that is not read
	size    int64         // offsets in the next block
	records []*kgo.Record // of the current block, in the order of the log
}

// newest returns the last record that is not taken; nil: none.
func (c *cursor) newest(ctx context.Context) (*kgo.Record, error) {
	for len(c.records) == 0 && c.span.Start < c.span.End {
		low := max(c.span.Start, c.span.End-c.size)
		records, bytes, err := c.log.block(ctx, Span{c.span.Topic, c.span.Partition, low, c.span.End})
		if err != nil {
			return nil, err
		}
		if tooLarge(bytes, c.span.End-low) {
			c.size = max(1, c.size/8)
			continue
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

// block reads a span, and returns about how many bytes it takes. It stops once that
// is too large.
func (l *Log) block(ctx context.Context, s Span) (block []*kgo.Record, bytes int, err error) {
	err = l.Scan(ctx, s, func(r *kgo.Record) bool {
		block = append(block, r)
		bytes += size(r)
		return !tooLarge(bytes, s.End-s.Start)
	})
	return block, bytes, err
}

func tooLarge(bytes int, offsets int64) bool { return bytes > blockLimit && offsets > 1 }

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
	if q.Brief {
		parse = open
	}
	seed := maphash.MakeSeed()
	seen := make(map[uint64]int64)    // below which offset the versions of a key do not count
	closed := make(map[uint64]*Entry) // whose last version is not read
	for {
		rec, err := newest(ctx, cursors)
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		if rec == nil {
			return rest(closed, f)
		}
		key := keyHash(seed, rec.Topic, rec.Key)
		end, met := seen[key]
		seen[key] = max(end, below(rec))
		if met && rec.Value != nil && rec.Offset >= end { // only earlier ones are closed
			delete(closed, key)
			met = false
		}
		tombstone := closed[key]
		switch {
		case rec.Value == nil:
			if q.Closed && !met {
				closed[key] = Parse(rec)
			}
			continue
		case met && tombstone == nil: // an earlier version
			continue
		}
		e := parse(rec)
		if tombstone != nil {
			delete(closed, key)
			e.State, e.Closed = tombstone.State, tombstone.Closed
		}
		if !f(e) {
			return nil
		}
	}
}

// newest takes the record that was written last; nil: none.
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

// rest calls f for the closed entries of which only the tombstone is left, the last
// one first.
func rest(closed map[uint64]*Entry, f func(*Entry) bool) error {
	left := make([]*Entry, 0, len(closed))
	for _, e := range closed {
		if e.Closed.By != "" { // else it may be of a delivery that never was an entry
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
