package dlq

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Change is something that was written to a dead-letter topic: an entry, new or
// with another state, or its tombstone.
type Change struct {
	ID     string
	Topic  string
	Key    []byte
	Offset int64
	Entry  *Entry   // nil: it was closed
	Closed *Closing // nil: it was not
}

func change(rec *kgo.Record) Change {
	c := Change{Topic: rec.Topic, Key: rec.Key, Offset: rec.Offset}
	c.ID, _ = idOf(rec.Key)
	if rec.Value == nil {
		c.Closed = parseClosing(rec)
	} else {
		c.Entry = Parse(rec)
	}
	return c
}

// TailOptions are for a client that reads a Tail. While it does, it reads
// nothing else: the long poll would delay it.
func TailOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // else nobody knows how far an aborted transaction was read
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.FetchMaxBytes(8 << 20),
		kgo.FetchMaxPartitionBytes(readBytes),
	}
}

// Tail reads what is written to partitions from the ends of spans on. It is for
// one goroutine, and one Tail of a client at a time.
type Tail struct {
	client *kgo.Client
	spans  []Span
}

// NewTail begins to read; client is made with TailOptions.
func NewTail(client *kgo.Client, spans []Span) *Tail {
	t := &Tail{client: client, spans: append([]Span(nil), spans...)}
	from := make(map[string]map[int32]kgo.Offset)
	for _, s := range spans {
		from[s.Topic] = map[int32]kgo.Offset{s.Partition: kgo.NewOffset().At(s.End)}
	}
	client.AddConsumePartitions(from)
	return t
}

// TailError says which topic cannot be read.
type TailError struct {
	Topic string
	Err   error
}

func (e *TailError) Error() string { return fmt.Sprintf("read %s: %v", e.Topic, e.Err) }
func (e *TailError) Unwrap() error { return e.Err }

// Poll returns what was written, in the order of each topic, as soon as there
// is anything; none after wait, or when ctx ends. There may be changes besides
// an error, which is a *TailError.
func (t *Tail) Poll(ctx context.Context, wait time.Duration) ([]Change, error) {
	within, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetches := t.client.PollFetches(within)
	var changes []Change
	fetches.EachRecord(func(r *kgo.Record) {
		for i := range t.spans {
			if t.spans[i].Topic == r.Topic {
				t.spans[i].End = r.Offset + 1
			}
		}
		if !r.Attrs.IsControl() {
			changes = append(changes, change(r))
		}
	})
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
			return changes, &TailError{e.Topic, e.Err}
		}
	}
	return changes, nil
}

// Reached reports whether everything below the ends of these spans was read.
func (t *Tail) Reached(ends []Span) bool {
	for _, e := range ends {
		for _, s := range t.spans {
			if s.Topic == e.Topic && s.End < e.End {
				return false
			}
		}
	}
	return true
}

// Position returns below which offset a topic was read.
func (t *Tail) Position(topic string) int64 {
	for _, s := range t.spans {
		if s.Topic == topic {
			return s.End
		}
	}
	return 0
}

// Close ends the reading.
func (t *Tail) Close() {
	all := make(map[string][]int32)
	for _, s := range t.spans {
		all[s.Topic] = []int32{s.Partition}
	}
	t.client.RemoveConsumePartitions(all)
}

// watchIdle is after how long without a change Watch calls idle.
const watchIdle = 100 * time.Millisecond

// Watch calls f for every change from the ends of the spans on, in the order
// of each topic, until f returns false or ctx ends; that is no error. idle is
// called whenever there is nothing more for now. The reader's client is made
// with TailOptions.
func (r *Reader) Watch(ctx context.Context, spans []Span, f func(Change) bool, idle func() bool) error {
	tail := NewTail(r.client, spans)
	defer tail.Close()
	for ctx.Err() == nil {
		changes, err := tail.Poll(ctx, watchIdle)
		for _, c := range changes {
			if !f(c) {
				return nil
			}
		}
		if err != nil {
			return err
		}
		if len(changes) == 0 && !idle() {
			return nil
		}
	}
	return nil
}
