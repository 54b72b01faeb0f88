package reroute

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

// Log reads records by their offsets.
type Log interface {
	Read(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32) (records []*kgo.Record, next int64, err error)
}

// Follower reads the requests that are not settled, and those that are made
// from then on. It is no member of a group: every process needs all of them,
// since an outbox may be given to it at any time.
type Follower struct {
	admin *kadm.Client
	in    Log
	group string
	take  func(Request)
	log   *slog.Logger
	// Resets, where it is set, is called for each reset that is made from now on.
	// One that stood there at the start meant the processes of before.
	Resets func(Reset)

	begun bool          // what stood there at the start is read; Run's alone
	kick  chan struct{} // size 1: look now

	mu     sync.Mutex
	asking []chan struct{} // to be closed after the next look
}

// NewFollower returns one that calls take for each request, in the order in
// which they were made.
func NewFollower(admin *kadm.Client, in Log, group string, take func(Request), log *slog.Logger) *Follower {
	return &Follower{admin: admin, in: in, group: group, take: take, log: log.With("component", "moves"), kick: make(chan struct{}, 1)}
}

// Known returns a channel that is closed once every request is taken that
// stands there now, or it is known that there can be none.
func (f *Follower) Known() <-chan struct{} {
	c := make(chan struct{})
	f.mu.Lock()
	f.asking = append(f.asking, c)
	f.mu.Unlock()
	select {
	case f.kick <- struct{}{}:
	default:
	}
	return c
}

// asked takes those who wait for a look that begins now.
func (f *Follower) asked() []chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.asking
	f.asking = nil
	return all
}

const (
	followEvery = time.Second
	followBytes = 1 << 20
)

// Run follows the requests until ctx ends. Alerts go out without it: while the
// replay topic cannot be read, it tries again and says so once.
func (f *Follower) Run(ctx context.Context) error {
	at, failing := int64(-1), false
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		waiting := f.asked()
		next, err := f.follow(ctx, at)
		at = next
		known := err == nil || errors.Is(err, kerr.UnknownTopicOrPartition)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failing = false
		case errors.Is(err, kerr.UnknownTopicOrPartition): // its absence is said by others
			at = -1
		case !failing:
			failing = true
			f.log.Warn("requests to move alerts cannot be read", "err", err)
		}
		f.begun = f.begun || known
		if known {
			for _, c := range waiting {
				close(c)
			}
		} else {
			f.mu.Lock()
			f.asking = append(f.asking, waiting...)
			f.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-f.kick:
		}
	}
}

// follow takes what there is from an offset on and returns where to go on;
// below zero: from where the group's commit says.
func (f *Follower) follow(ctx context.Context, at int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if at < 0 {
		var err error
		if at, err = Settled(ctx, f.admin, f.group); err != nil {
			return -1, err
		}
	}
	for {
		records, next, err := f.in.Read(ctx, topics.Replay(f.group), 0, at, followBytes)
		if errors.Is(err, kerr.OffsetOutOfRange) {
			// Deleted by retention, or the topic was made anew: nothing is left of what
			// stood there.
			start, err := f.admin.ListStartOffsets(ctx, topics.Replay(f.group))
			if err != nil {
				return at, err
			}
			first, ok := start.Lookup(topics.Replay(f.group), 0)
			if !ok || first.Err != nil || first.Offset == at {
				return at, errors.Join(kerr.OffsetOutOfRange, first.Err)
			}
			at = first.Offset
			continue
		}
		if err != nil {
			return at, err
		}
		for _, r := range records {
			if r.Offset >= at {
				f.handOn(r)
			}
		}
		if next <= at {
			return at, nil
		}
		at = next
	}
}

// handOn hands on what a record asks for.
func (f *Follower) handOn(r *kgo.Record) {
	if q, err := Parse(r); err == nil {
		f.take(q)
		return
	}
	if q, err := ParseReset(r); err == nil && f.begun && f.Resets != nil {
		f.Resets(q)
	}
}

// Settled returns below which offset of the replay topic every request is
// settled.
func Settled(ctx context.Context, adm *kadm.Client, group string) (int64, error) {
	offsets, err := adm.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return 0, fmt.Errorf("read how far requests are settled: %w", err)
	}
	o, ok := offsets.Lookup(topics.Replay(group), 0)
	if !ok || o.At < 0 {
		return 0, nil
	}
	return o.At, o.Err
}

// Open returns the requests that are not settled, in the order in which they
// were made.
func Open(ctx context.Context, adm *kadm.Client, in Log, group string) ([]Request, error) {
	var open []Request
	f := Follower{admin: adm, in: in, group: group, take: func(q Request) { open = append(open, q) }}
	_, err := f.follow(ctx, -1)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, nil
	}
	return open, err
}
