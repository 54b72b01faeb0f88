// Package history reads what was written to topics in a period, by several readers at
// once, and hands out what is found in it in the order of time. It joins no group and
// commits nothing. Start reading at Read.
package history

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
)

// Matcher looks at a record of its partition, whose records come in order. at is when a
// consumer would have had it. False: nothing is found in it. What is found must not share
// memory with the record.
type Matcher[T any] func(r *kgo.Record, at time.Time) (found T, ok bool)

// Params is what is read.
type Params[T any] struct {
	Log   *dlq.Log
	Spans []dlq.Span
	// Since is the earliest time of a record. Now is the latest: a timestamp after it is
	// that of a producer whose clock is wrong.
	Since, Now time.Time
	// Matcher returns the matcher of a partition. The matchers of several partitions are
	// called concurrently.
	Matcher func(s dlq.Span) Matcher[T]
	// TooLarge returns what is found in place of a batch that cannot be unpacked; nil: such a
	// batch is an error.
	TooLarge func(b *dlq.BatchError) T
	// Passed is called with how many offsets were read, concurrently; nil: nothing is.
	Passed func(offsets int)
}

const (
	// chunkBytes is how many stored bytes of a partition are read at once.
	chunkBytes = 256 << 10
	// mostFound is how much one turn finds in a partition before the rest of its chunk has
	// to wait for the others.
	mostFound = 256
	// mostHeld is how much may be found and not handed out, over all partitions, before
	// only the partition is read on that the others wait for.
	mostHeld = 8192
)

// Read calls f for what is found in the spans, in the order of time; what is of the same
// millisecond in the order of the spans, so that two runs are the same. The time of a
// record is its timestamp, but not before that of a record before it in its partition. It
// returns below which time everything was handed out: if there is no error, the end.
// Readers do not run far ahead of each other where much is found, so memory does not grow
// with the history.
func Read[T any](ctx context.Context, p Params[T], f func(at time.Time, found T)) (until time.Time, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &reader[T]{p: p}
	r.changed.L = &r.mu
	for i, s := range p.Spans {
		r.partitions = append(r.partitions, &partition[T]{Span: s, index: i, match: p.Matcher(s), at: p.Since, reached: p.Since, done: s.Start >= s.End})
	}
	var workers sync.WaitGroup
	for range min(len(p.Spans), 2*runtime.GOMAXPROCS(0)) { // one waits for the broker while another works
		workers.Go(func() { r.work(ctx, cancel) })
	}
	stop := context.AfterFunc(ctx, r.stop)
	defer stop()
	for ctx.Err() == nil {
		next := r.next()
		if next == nil {
			break
		}
		f(next.at, next.value)
	}
	r.stop()
	workers.Wait()
	if first := r.first(); first != nil {
		return first.bound(), context.Cause(ctx)
	}
	return p.Now, nil
}

// found is what a matcher has found, and when.
type found[T any] struct {
	at    time.Time
	value T
}

// partition is how far one partition is read.
type partition[T any] struct {
	dlq.Span // Start is the next offset to read
	index    int
	match    Matcher[T]

	// Used by the reader whose turn it is.
	at   time.Time       // of the last record
	left []*kgo.Record   // of the last chunk
	skip *dlq.BatchError // behind it; nil: none

	// Guarded by reader.mu.
	busy    bool // a reader has its turn
	done    bool
	reached time.Time // nothing of what is still to be found is before
	queue   []found[T]
}

// bound returns when the next of the partition is at the earliest.
func (p *partition[T]) bound() time.Time {
	if len(p.queue) > 0 {
		return p.queue[0].at
	}
	return p.reached
}

// over reports whether nothing more comes of the partition.
func (p *partition[T]) over() bool { return p.done && len(p.queue) == 0 }

// reader reads the partitions.
type reader[T any] struct {
	p          Params[T]
	mu         sync.Mutex
	changed    sync.Cond // something below has changed
	partitions []*partition[T]
	held       int
	stopped    bool
}

func (r *reader[T]) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.changed.Broadcast()
}

// first returns the partition with the next to hand out, or that has to be read on before
// that is known; nil: all are over. The reader's mutex is held, or nothing runs.
func (r *reader[T]) first() *partition[T] {
	var first *partition[T]
	for _, p := range r.partitions {
		if !p.over() && (first == nil || p.bound().Before(first.bound())) {
			first = p
		}
	}
	return first
}

// next waits for the next to hand out; nil: there is no more, or the reader was stopped.
func (r *reader[T]) next() *found[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		p := r.first()
		switch {
		case p == nil, r.stopped:
			return nil
		case len(p.queue) > 0:
			next := p.queue[0]
			p.queue = p.queue[1:]
			if r.held--; len(p.queue) == 0 || len(p.queue) == mostFound-1 || r.held == mostHeld-1 {
				r.changed.Broadcast() // it may be read on
			}
			return &next
		}
		r.changed.Wait()
	}
}

// work takes turns until everything is read or ctx has ended.
func (r *reader[T]) work(ctx context.Context, cancel context.CancelCauseFunc) {
	for {
		p := r.take()
		if p == nil {
			return
		}
		more, done, err := r.turn(ctx, p)
		if err != nil {
			cancel(err)
			return
		}
		r.give(p, more, done)
	}
}

// take waits for a partition to read on: the one that is read least far, in time.
func (r *reader[T]) take() *partition[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var least *partition[T]
		all := true
		for _, p := range r.partitions {
			all = all && p.done
			if p.busy || p.done || len(p.queue) > 0 && (r.held >= mostHeld || len(p.queue) >= mostFound) {
				continue
			}
			if least == nil || p.reached.Before(least.reached) {
				least = p
			}
		}
		switch {
		case all, r.stopped:
			return nil
		case least != nil:
			least.busy = true
			return least
		}
		r.changed.Wait()
	}
}

// turn reads a chunk of a partition, or what is left of it.
func (r *reader[T]) turn(ctx context.Context, p *partition[T]) (more []found[T], done bool, err error) {
	if len(p.left) == 0 {
		records, next, err := r.p.Log.Read(ctx, p.Topic, p.Partition, p.Start, chunkBytes)
		p.skip = nil
		if r.p.TooLarge != nil && errors.As(err, &p.skip) {
			next, err = p.skip.Last+1, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("read %s/%d: %w", p.Topic, p.Partition, err)
		}
		for len(records) > 0 && records[len(records)-1].Offset >= p.End {
			records = records[:len(records)-1]
		}
		if next = min(next, p.End); next <= p.Start {
			next = p.End // the rest is gone
		}
		if r.p.Passed != nil {
			r.p.Passed(int(next - p.Start))
		}
		p.left, p.Start = records, next
	}
	for len(p.left) > 0 && len(more) < mostFound && ctx.Err() == nil {
		rec := p.left[0]
		p.left = p.left[1:]
		if rec.Timestamp.After(p.at) && !rec.Timestamp.After(r.p.Now) {
			p.at = rec.Timestamp
		}
		if value, ok := p.match(rec, p.at); ok {
			more = append(more, found[T]{p.at, value})
		}
	}
	if len(p.left) == 0 {
		p.left = nil
		if p.skip != nil && p.skip.First < p.End {
			more = append(more, found[T]{p.at, r.p.TooLarge(p.skip)})
		}
		p.skip = nil
	}
	return more, p.left == nil && p.Start >= p.End, context.Cause(ctx)
}

// give ends a turn.
func (r *reader[T]) give(p *partition[T], more []found[T], done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.queue = append(p.queue, more...)
	r.held += len(more)
	p.busy, p.done, p.reached = false, done, p.at
	r.changed.Broadcast()
}
