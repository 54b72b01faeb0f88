// Package lag measures consumer lag, of our groups and of others: for each topic the
// number of waiting records, the age of the oldest, and when retention may delete it. It
// joins no group and commits nothing. Start reading at Sampler.Sample and Monitor.Run.
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

// Interval is the interval of samples.
const Interval = 15 * time.Second

// Topic is a topic that one of our groups reads.
type Topic struct {
	Name, Group string
	Channel     string // of an outbox; empty: a source, or the replay topic
}

// Log reads records by their offsets.
type Log interface {
	Read(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32) (records []*kgo.Record, next int64, err error)
}

// Params is what a Monitor needs.
type Params struct {
	Client  *kgo.Client
	View    *brokers.View // nil: a new one
	Log     Log
	Cluster string // the cluster's id
	Topics  []Topic
	Others  Config // other groups
	// Outboxes is the prefix of our outbox topics, also of channels that are no longer
	// configured. OutboxGroup reads them.
	Outboxes, OutboxGroup string
	Brokers               []string // bootstrap addresses, for commands in messages
	Conditions            *health.Conditions
	Logger                *slog.Logger
	Registry              prometheus.Registerer
}

// Backlog is the lag of one topic.
type Backlog struct {
	Topic
	Waiting   int64
	Oldest    time.Time     // when the oldest waiting record was written; zero: none
	KeptUntil time.Time     // when retention may delete it, at the earliest; zero: never
	Retention time.Duration // of the topic; zero: unlimited
	Known     bool          // false: not sampled yet, or the sample failed
}

// Left returns the time until retention may delete the oldest waiting record; false:
// never.
func (b *Backlog) Left(now time.Time) (time.Duration, bool) {
	if b.KeptUntil.IsZero() {
		return 0, false
	}
	return b.KeptUntil.Sub(now), true
}

// Monitor samples the lag for metrics, conditions and /readyz.
type Monitor struct {
	p       Params
	log     *slog.Logger
	sampler *Sampler

	mu       sync.Mutex
	last     map[string]Backlog // by topic
	snapshot *Snapshot          // nil: no sample yet
}

// New returns a monitor.
func New(p Params) *Monitor {
	if p.View == nil {
		p.View = brokers.NewView(p.Client)
	}
	m := &Monitor{p: p, log: p.Logger.With("component", "lag"), sampler: newSampler(p.Client, p.View, p.Log, p.Cluster), last: make(map[string]Backlog)}
	if p.Registry != nil {
		p.Registry.MustRegister(m)
	}
	return m
}

// Run samples every Interval until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		if err := m.update(ctx); err != nil && ctx.Err() == nil {
			m.log.Warn("measuring consumer lag failed", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Backlog returns the last sample of a topic.
func (m *Monitor) Backlog(topic string) Backlog {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[topic]
}
