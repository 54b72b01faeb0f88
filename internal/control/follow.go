package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/topics"
)

// Follower reads the unsettled requests and all later ones. It joins no group: every
// process needs all requests, since any outbox can be assigned to it. Requests are clamped
// (see Request.Clamp) and end when none of their alerts wait.
type Follower struct {
	p   FollowerParams
	log *slog.Logger

	open    []Request     // not ended; only used by Run
	checked time.Time     // last check for ended requests; only used by Run
	kick    chan struct{} // size 1: read now

	mu      sync.Mutex
	waiters []chan struct{} // closed after the next read
}

// FollowerParams are the parameters of a Follower. Run calls the functions, one at a time.
type FollowerParams struct {
	Admin   *kadm.Client
	Log     lag.Log
	Group   string
	Cluster string        // the id of the group's cluster
	Move    func(Request) // called for each request in order
	Ended   func(Request) // called for each request of which no alerts wait
	Logger  *slog.Logger
}

// NewFollower returns a follower; Run follows.
func NewFollower(p FollowerParams) *Follower {
	return &Follower{p: p, log: p.Logger.With("component", "moves"), kick: make(chan struct{}, 1)}
}

// Known returns a channel that is closed once all current requests are read, or the replay
// topic does not exist.
func (f *Follower) Known() <-chan struct{} {
	c := make(chan struct{})
	f.mu.Lock()
	f.waiters = append(f.waiters, c)
	f.mu.Unlock()
	select {
	case f.kick <- struct{}{}:
	default:
	}
	return c
}

// takeWaiters returns the waiters for a read that begins now.
func (f *Follower) takeWaiters() []chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.waiters
	f.waiters = nil
	return all
}

const (
	followEvery = time.Second
	followBytes = 1 << 20
)

// Run follows the requests until ctx ends. It logs once when the replay topic cannot be
// read, and retries.
func (f *Follower) Run(ctx context.Context) error {
	at, failing := int64(-1), false
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		waiting := f.takeWaiters()
		var err error
		at, err = f.follow(ctx, at)
		known := err == nil || errors.Is(err, kerr.UnknownTopicOrPartition)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failing = false
		case errors.Is(err, kerr.UnknownTopicOrPartition): // reported by kafka.Monitor
			at = -1
		case !failing:
			failing = true
			f.log.Warn("reading move requests failed", "err", err)
		}
		f.endMoves(ctx)
		if known {
			for _, c := range waiting {
				close(c)
			}
		} else {
			f.mu.Lock()
			f.waiters = append(f.waiters, waiting...)
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

// follow reads the requests from an offset and returns the next one; a negative offset
// means the group's commit.
func (f *Follower) follow(ctx context.Context, at int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if at < 0 {
		var err error
		if at, err = Settled(ctx, f.p.Admin, f.p.Group); err != nil {
			return -1, err
		}
	}
	for {
		records, next, err := f.p.Log.Read(ctx, topics.Replay(f.p.Group), 0, at, followBytes)
		if errors.Is(err, kerr.OffsetOutOfRange) {
			// Deleted by retention, or the topic was recreated.
			start, err := f.p.Admin.ListStartOffsets(ctx, topics.Replay(f.p.Group))
			if err != nil {
				return at, err
			}
			first, ok := start.Lookup(topics.Replay(f.p.Group), 0)
			if !ok || first.Err != nil || first.Offset == at {
				return at, errors.Join(kerr.OffsetOutOfRange, first.Err)
			}
			at = first.Offset
			continue
		}
		if err != nil {
			return at, err
		}
		known := make(Ends)
		for _, r := range records {
			if r.Offset < at {
				continue
			}
			if err := f.handOn(ctx, r, known); err != nil {
				return r.Offset, err // retried
			}
		}
		if next <= at {
			return at, nil
		}
		at = next
	}
}

// MaxOpen limits the open moves: each is checked for every alert of its channel.
const MaxOpen = 100

// handOn passes on the request in a record, if it is one. The error is of a request to the
// brokers.
func (f *Follower) handOn(ctx context.Context, r *kgo.Record, known Ends) error {
	q, err := Parse(r)
	if err != nil {
		return nil
	}
	more, err := q.Clamp(ctx, f.p.Admin, f.p.Group, known)
	switch {
	case err != nil:
		return err
	case len(q.Below) == 0:
		return nil
	case len(f.open) >= MaxOpen:
		f.log.Warn("too many open moves: request ignored", "channel", q.From, "to", q.To, "by", q.By, "topic", r.Topic, "partition", r.Partition, "offset", r.Offset)
		return nil
	case more:
		f.log.Warn("move request clamped to the end of the outbox", "channel", q.From, "to", q.To, "by", q.By, "topic", r.Topic, "partition", r.Partition, "offset", r.Offset)
	}
	f.open = append(f.open, q)
	f.p.Move(q)
	return nil
}

// endEvery is the interval of checks for ended moves.
const endEvery = 2 * time.Second

// endMoves ends the moves of which no alerts wait. An error is ignored until the next check.
func (f *Follower) endMoves(ctx context.Context) {
	if now := time.Now(); len(f.open) == 0 || now.Sub(f.checked) < endEvery {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	left, err := Left(ctx, f.p.Admin, f.p.Group, f.p.Cluster, f.open...)
	f.checked = time.Now()
	if err != nil {
		return
	}
	var open []Request
	for i, q := range f.open {
		if left[i] != 0 {
			open = append(open, q)
			continue
		}
		f.p.Ended(q)
	}
	f.open = open
}

// Left returns how many alerts of each request wait; negative: unknown.
func Left(ctx context.Context, adm *kadm.Client, group, cluster string, all ...Request) ([]int64, error) {
	var names []string
	for _, q := range all {
		names = append(names, topics.Outbox(group, q.From))
	}
	slices.Sort(names)
	waiting, err := lag.Waiting(ctx, adm, topics.OutboxGroup(group), cluster, slices.Compact(names)...)
	if err != nil {
		return nil, err
	}
	left := make([]int64, len(all))
	for i, q := range all {
		n, known := waiting[topics.Outbox(group, q.From)].Below(q.TopicID, q.Below)
		if left[i] = n; !known {
			left[i] = -1
		}
	}
	return left, nil
}

// Settled returns the offset of the replay topic below which all requests are settled.
func Settled(ctx context.Context, adm *kadm.Client, group string) (int64, error) {
	offsets, err := adm.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return 0, fmt.Errorf("read the offset of the replay topic: %w", err)
	}
	o, ok := offsets.Lookup(topics.Replay(group), 0)
	if !ok {
		return 0, nil
	}
	return max(o.At, 0), o.Err
}

// Open returns the unsettled requests in order.
func Open(ctx context.Context, adm *kadm.Client, in lag.Log, group string) ([]Request, error) {
	var open []Request
	f := NewFollower(FollowerParams{
		Admin: adm, Log: in, Group: group, Move: func(q Request) { open = append(open, q) }, Logger: slog.New(slog.DiscardHandler),
	})
	_, err := f.follow(ctx, -1)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, nil
	}
	return open, err
}
