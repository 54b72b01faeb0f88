package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/topics"
)

// Store writes the state of a group's channels, and follows what all processes of the
// group write. It joins no group: any channel can be assigned to this process. It is
// safe for concurrent use.
type Store struct {
	p        Params
	topic    string
	log      *slog.Logger
	recreate *dlq.Follower
	channels map[string]func(Record)
	kick     chan struct{} // size 1: read now

	mu      sync.Mutex
	waiters []func() // called after the next read
}

// Params are the parameters of a Store.
type Params struct {
	// Client is idempotent, with acks=all, bounded delivery and a manual partitioner.
	Client *kgo.Client
	Log    *dlq.Log
	Group  string
	Logger *slog.Logger
}

// New returns a store; Run follows the topic.
func New(p Params) *Store {
	return &Store{
		p: p, topic: topics.State(p.Group), log: p.Logger.With("component", "state"), channels: make(map[string]func(Record)), kick: make(chan struct{}, 1),
		recreate: dlq.NewFollower(func(topic string) { p.Client.PurgeTopicsFromProducing(topic) }),
	}
}

// Follow has learn called with the records of a channel and those of AllChannels, in the
// order of the log: with all that are there when Run begins, then with those that any
// process writes, this one included. It must be called before Run.
func (s *Store) Follow(channel string, learn func(Record)) { s.channels[channel] = learn }

// Known calls f from Run once all records that are in the topic by now were passed on, or
// the topic does not exist. While it cannot be read, f is not called.
func (s *Store) Known(f func()) {
	s.mu.Lock()
	s.waiters = append(s.waiters, f)
	s.mu.Unlock()
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// WriteTimeout bounds one call of Write.
const WriteTimeout = 5 * time.Second

// Write writes records and returns once all in-sync replicas have them all. After an
// error some may be missing.
func (s *Store) Write(ctx context.Context, records ...Record) error {
	ctx, cancel := context.WithTimeout(ctx, WriteTimeout)
	defer cancel()
	batch := make([]*kgo.Record, len(records))
	for i, r := range records {
		batch[i] = r.encode(s.p.Group)
	}
	turn := s.recreate.Turn(s.topic)
	err := s.p.Client.ProduceSync(ctx, batch...).FirstErr()
	if err != nil {
		s.recreate.Failed(s.topic, turn, err)
		return fmt.Errorf("write to %s: %w", s.topic, err)
	}
	return nil
}

const (
	followEvery = time.Second
	readWithin  = 30 * time.Second
	readBytes   = 1 << 20
)

// Run follows the topic until ctx ends. It logs once that it cannot be read, and retries.
func (s *Store) Run(ctx context.Context) error {
	at, failing := int64(-1), false
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		waiting := s.takeWaiters()
		var err error
		at, err = s.read(ctx, at)
		missing := errors.Is(err, kerr.UnknownTopicOrPartition) // reported by kafka.Monitor
		switch {
		case ctx.Err() != nil:
			return nil
		case missing:
			at = -1
		case err == nil:
			failing = false
		case !failing:
			failing = true
			s.log.Warn("reading the state topic failed", "topic", s.topic, "err", err)
		}
		if err == nil || missing {
			for _, f := range waiting {
				f()
			}
		} else {
			s.mu.Lock()
			s.waiters = append(waiting, s.waiters...)
			s.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.kick:
		}
	}
}

// takeWaiters returns those who wait for a read that begins now.
func (s *Store) takeWaiters() []func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.waiters
	s.waiters = nil
	return all
}

func (s *Store) read(ctx context.Context, at int64) (int64, error) {
	return read(ctx, s.p.Log, s.topic, at, s.pass)
}

// Each calls f with the records of a group's state topic as of now, in the order of the log.
func Each(ctx context.Context, log *dlq.Log, group string, f func(Record)) error {
	_, err := read(ctx, log, topics.State(group), -1, f)
	return err
}

// read passes on the records from an offset to the end of the log, and returns the next
// offset; a negative one means the beginning.
func read(ctx context.Context, log *dlq.Log, topic string, at int64, pass func(Record)) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	for {
		if at < 0 {
			spans, err := log.Spans(ctx, topic)
			if err != nil {
				return -1, err
			}
			at = spans[0].Start
		}
		records, next, err := log.Read(ctx, topic, 0, at, readBytes)
		if errors.Is(err, kerr.OffsetOutOfRange) { // the topic was recreated
			return -1, err
		}
		if err != nil {
			return at, err
		}
		for _, r := range records {
			if record, ok := decode(r); ok && r.Offset >= at {
				pass(record)
			}
		}
		if next <= at {
			return at, nil
		}
		at = next
	}
}

// pass passes a record on to those whom it concerns.
func (s *Store) pass(r Record) {
	if r.Channel == AllChannels {
		for _, learn := range s.channels {
			learn(r)
		}
	} else if learn := s.channels[r.Channel]; learn != nil {
		learn(r)
	}
}
