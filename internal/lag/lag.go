// Package lag knows what waits for consumer groups, ours and others': of each
// topic how many records are not finished, how old the oldest is, and until when
// the brokers keep it. It asks the brokers now and then, a few requests each time,
// joins no group and commits nothing. Start reading at Looker.Look, which asks
// once, and at Monitor.Run, which does so as long as the daemon runs.
package lag

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/health/brokers"
)

// Interval is how often the brokers are asked.
const Interval = 15 * time.Second

// Topic is one topic that is read by one of our groups.
type Topic struct {
	Name, Group string
	// Channel is whose outbox it is; empty: a source, or the replay topic.
	Channel string
}

// Log reads records by their offsets.
type Log interface {
	Read(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32) (records []*kgo.Record, next int64, err error)
}

// Params is what a Monitor needs.
type Params struct {
	Client  *kgo.Client
	View    *brokers.View // of the brokers; nil: one of its own
	Log     Log
	Cluster string // the cluster's id
	Topics  []Topic
	Others  Config // whose lag is looked at beside ours
	// Outboxes is what the names of our outboxes begin with: there may be some
	// of channels that are configured no more. OutboxGroup reads them.
	Outboxes, OutboxGroup string
	// Brokers is how operators reach the cluster, for the commands in messages.
	Brokers    []string
	Conditions *health.Conditions
	Logger     *slog.Logger
	Registry   prometheus.Registerer
}

// Backlog is what waits in one topic.
type Backlog struct {
	Topic
	Waiting int64
	// Oldest is when the oldest waiting record was written; zero where none
	// waits.
	Oldest time.Time
	// KeptUntil is when the brokers may delete it; zero: never. They delete whole
	// segments, so it may stay for longer.
	KeptUntil time.Time
	// Retention is how long the topic keeps records; zero: forever.
	Retention time.Duration
	Looked    bool // false: not looked at yet, or it could not be
}

// Left returns how long the oldest waiting record is kept from now on; false:
// nothing waits that could be deleted.
func (b *Backlog) Left(now time.Time) (time.Duration, bool) {
	if b.KeptUntil.IsZero() {
		return 0, false
	}
	return b.KeptUntil.Sub(now), true
}

// Monitor looks at what waits.
type Monitor struct {
	p      Params
	log    *slog.Logger
	looker *Looker

	mu       sync.Mutex
	last     map[string]Backlog // by topic
	snapshot *Snapshot          // nil: not looked yet
}

// New returns a monitor.
func New(p Params) *Monitor {
	if p.View == nil {
		p.View = brokers.NewView(p.Client)
	}
	m := &Monitor{p: p, log: p.Logger.With("component", "lag"), looker: newLooker(p.Client, p.View, p.Log, p.Cluster), last: make(map[string]Backlog)}
	if p.Registry != nil {
		p.Registry.MustRegister(m)
	}
	return m
}

// Run looks every Interval until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		if err := m.look(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("consumer lag is not known", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Backlog returns what waited in a topic when it was last looked at.
func (m *Monitor) Backlog(topic string) Backlog {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[topic]
}
