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

// Log reads records by their offsets.
type Log interface {
	Read(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32) (records []*kgo.Record, next int64, err error)
}

// Follower reads the requests that are not settled, and those that are made
// from then on. It is no member of a group: every process needs all of them,
// since an outbox may be given to it at any time. What it hands on is limited to
// what its outbox held then (see Clamp), and ended once nothing of it waits.
type Follower struct {
	p   FollowerParams
	log *slog.Logger

	open   []Request     // those that were handed on and have not ended; Run's alone
	looked time.Time     // when it was last asked which of them have; Run's alone
	kick   chan struct{} // size 1: look now

	mu     sync.Mutex
	asking []chan struct{} // to be closed after the next look
}

// FollowerParams is what a Follower needs. Its functions are called by Run, one
// after the other.
type FollowerParams struct {
	Admin   *kadm.Client
	Log     Log
	Group   string
	Cluster string // the id of the group's cluster
	// Move is called for each request, in the order in which they were made.
	Move func(Request)
	// Ended is called for each request of which nothing waits any longer, wherever it
	// was carried out.
	Ended  func(Request)
	Logger *slog.Logger
}

// NewFollower returns a follower; Run follows.
func NewFollower(p FollowerParams) *Follower {
	return &Follower{p: p, log: p.Logger.With("component", "moves"), kick: make(chan struct{}, 1)}
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
		f.endOver(ctx)
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
		if at, err = Settled(ctx, f.p.Admin, f.p.Group); err != nil {
			return -1, err
		}
	}
	for {
		records, next, err := f.p.Log.Read(ctx, topics.Replay(f.p.Group), 0, at, followBytes)
		if errors.Is(err, kerr.OffsetOutOfRange) {
			// Deleted by retention, or the topic was recreated: nothing is left of what
			// stood there.
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
		known := make(ends)
		for _, r := range records {
			if r.Offset < at {
				continue
			}
			if err := f.handOn(ctx, r, known); err != nil {
				return r.Offset, err // it is read again
			}
		}
		if next <= at {
			return at, nil
		}
		at = next
	}
}

// maxOpen is how many moves may be in force at once. People ask for a few; each
// is looked at for every alert of its channel.
const maxOpen = 100

// handOn hands on what a record asks for; an error is that the brokers do not
// say how much there is of it.
func (f *Follower) handOn(ctx context.Context, r *kgo.Record, known ends) error {
	q, err := Parse(r)
	if err != nil {
		return nil
	}
	more, err := q.clamp(ctx, f.p.Admin, f.p.Group, known)
	switch {
	case err != nil:
		return err
	case len(q.Below) == 0: // nothing of it is there
		return nil
	case len(f.open) >= maxOpen:
		f.log.Warn("too many moves are in force at once: this one is ignored", "channel", q.From, "to", q.To, "by", q.By, "topic", r.Topic, "partition", r.Partition, "offset", r.Offset)
		return nil
	case more:
		f.log.Warn("request to move alerts asks for more than the outbox holds: it ends at the log's end", "channel", q.From, "to", q.To, "by", q.By, "topic", r.Topic, "partition", r.Partition, "offset", r.Offset)
	}
	f.open = append(f.open, q)
	f.p.Move(q)
	return nil
}

// endEvery is how often it is asked whether moves have ended.
const endEvery = 2 * time.Second

// endOver ends the moves of which nothing waits any longer. While the brokers do
// not answer they stay: they mean nothing that comes later.
func (f *Follower) endOver(ctx context.Context) {
	if now := time.Now(); len(f.open) == 0 || now.Sub(f.looked) < endEvery {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	left, err := Left(ctx, f.p.Admin, f.p.Group, f.p.Cluster, f.open...)
	f.looked = time.Now()
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

// Left returns how many alerts wait that each of these requests means; below
// zero: it is not known.
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

// Settled returns below which offset of the replay topic every request is
// settled.
func Settled(ctx context.Context, adm *kadm.Client, group string) (int64, error) {
	offsets, err := adm.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return 0, fmt.Errorf("read how far requests are settled: %w", err)
	}
	o, ok := offsets.Lookup(topics.Replay(group), 0)
	if !ok {
		return 0, nil
	}
	return max(o.At, 0), o.Err
}

// Open returns the requests that are not settled, in the order in which they
// were made.
func Open(ctx context.Context, adm *kadm.Client, in Log, group string) ([]Request, error) {
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
