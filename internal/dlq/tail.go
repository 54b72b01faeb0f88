package dlq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TailOptions are for a client that reads a Tail, and nothing else meanwhile: the long
// poll would delay it.
func TailOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // else the position would not pass an aborted transaction
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.FetchMaxBytes(8 << 20),
		kgo.FetchMaxPartitionBytes(readBytes),
	}
}

// Tail reads what is written to topics of one partition after the ends of spans. It is
// for one goroutine, and one Tail of a client at a time.
type Tail struct {
	client *kgo.Client
	read   map[string]int64 // the offset below which each topic is read
}

// NewTail begins to read; client is made with TailOptions.
func NewTail(client *kgo.Client, spans []Span) *Tail {
	t := &Tail{client: client, read: make(map[string]int64)}
	from := make(map[string]map[int32]kgo.Offset)
	for _, s := range spans {
		t.read[s.Topic] = s.End
		from[s.Topic] = map[int32]kgo.Offset{s.Partition: kgo.NewOffset().At(s.End)}
	}
	client.AddConsumePartitions(from)
	return t
}

// TailError is why a topic cannot be read.
type TailError struct {
	Topic string
	Err   error
}

func (e *TailError) Error() string { return fmt.Sprintf("read %s: %v", e.Topic, e.Err) }
func (e *TailError) Unwrap() error { return e.Err }

// Poll returns what was written, in the order of each topic, as soon as there is
// anything; nothing after wait, or when ctx ends. An error is a *TailError; there may be
// entries besides.
func (t *Tail) Poll(ctx context.Context, wait time.Duration) ([]*Entry, error) {
	within, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fetches := t.client.PollFetches(within)
	var entries []*Entry
	fetches.EachRecord(func(r *kgo.Record) {
		t.read[r.Topic] = r.Offset + 1
		if !r.Attrs.IsControl() {
			entries = append(entries, Parse(r))
		}
	})
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
			return entries, &TailError{e.Topic, e.Err}
		}
	}
	return entries, nil
}

// Reached reports whether everything below the ends of spans is read.
func (t *Tail) Reached(spans []Span) bool {
	return !slices.ContainsFunc(spans, func(s Span) bool { return t.read[s.Topic] < s.End })
}

// Close ends the reading.
func (t *Tail) Close() {
	all := make(map[string][]int32)
	for topic := range t.read {
		all[topic] = []int32{0}
	}
	t.client.RemoveConsumePartitions(all)
}

// watchIdle is how long Watch waits for entries before it calls idle.
const watchIdle = 100 * time.Millisecond

// Watch calls f for everything that is written after the ends of spans, in the order of
// each topic, and idle when there is nothing more for now, until one returns false or
// ctx ends. The reader's client is made with TailOptions.
func (r *Reader) Watch(ctx context.Context, spans []Span, f func(*Entry) bool, idle func() bool) error {
	tail := NewTail(r.client, spans)
	defer tail.Close()
	for ctx.Err() == nil {
		entries, err := tail.Poll(ctx, watchIdle)
		for _, e := range entries {
			if !f(e) {
				return nil
			}
		}
		if err != nil {
			return err
		}
		if len(entries) == 0 && !idle() {
			return nil
		}
	}
	return nil
}
