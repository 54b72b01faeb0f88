// Package ingest is ingest: it reads source topics, decodes each record,
// asks the rules, and writes one record per alert and channel into the
// channel's outbox topic, in source order. What cannot be decoded becomes a
// dead letter. A source offset is settled only when everything its record
// raised is acknowledged. Start reading at Handler.Handle.
package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/rule"
)

// DeadLetters writes dead letters and returns once they are acknowledged.
type DeadLetters interface {
	Write(ctx context.Context, entries ...*dlq.Entry) error
	CloseEntries(ctx context.Context, closures ...*dlq.Closure) error
}

// Schemas fetches schemas: see schemaregistry.Client.
type Schemas interface {
	Fetch(ctx context.Context, id event.SchemaID) error
}

// Params is what a Handler needs.
type Params struct {
	Group    string
	Cluster  string
	Program  Program
	Outboxes *outbox.Producer
	History  History // nil: of events that are evaluated again all alerts are sent
	Dead     DeadLetters
	Schemas  Schemas  // nil: the decoder never needs one
	Topics   []string // for metrics created at zero
	// Uncommitted is how many deliveries of a partition may be written and not
	// committed: what a crash writes again, and dispatch has to recognise. 0: any
	// number.
	Uncommitted int
	// Fallbacks are, by channel, those that get its alerts while it cannot send. They are
	// told what is resolved, too.
	Fallbacks map[string]string
	// MaxReplays is after how many replays a dead letter is quarantined.
	MaxReplays int
	Tracer     *tracing.Tracer // nil: no spans
	Logger     *slog.Logger
	Registry   prometheus.Registerer
}

// MostUncommitted is Params.Uncommitted in the daemon: the dedup state of an outbox
// partition, as a commit carries it, has room for some 280 ids.
const MostUncommitted = 256

// Handler is a consume.Handler for source partitions.
type Handler struct {
	p       Params
	log     *slog.Logger
	metrics *metrics
	program atomic.Pointer[Program]
	large   chan struct{} // a turn for each large event: see largeAtOnce
}

// New returns a handler.
func New(p Params) *Handler {
	h := &Handler{p: p, log: p.Logger.With("component", "ingest"), metrics: newMetrics(p), large: make(chan struct{}, largeAtOnce)}
	h.Use(p.Program)
	return h
}

// Use has the records from now on matched by another program. It is safe for concurrent
// use with Handle and Match.
func (h *Handler) Use(p Program) {
	h.metrics.create(p.Names)
	h.program.Store(&p)
}

// Handle works through one partition in order, a batch at a time.
func (h *Handler) Handle(ctx context.Context, p *consume.Partition) {
	committed := make(chan struct{}, 1)
	p.OnCommit(func() {
		select {
		case committed <- struct{}{}:
		default:
		}
	})
	// Each assignment begins with nothing known, so that the first event with clear of each key
	// raises a resolved alert again, which dispatch drops where nothing is open. Rules that
	// are replaced keep it.
	known := rule.NewResolved()
	for {
		records, err := p.Next(ctx)
		if err != nil {
			return
		}
		b := h.Begin(p, records, known)
		for !b.Step(ctx) {
			if !b.await(ctx, committed) {
				b.abandon()
				return // revoked or stopping: the next owner does it again
			}
		}
	}
}

// Match decodes and matches one record that arrived at arrived. An event with clear
// raises a resolved alert, whatever is known of its key.
func (h *Handler) Match(r *kgo.Record, arrived, now time.Time) ([]alert.Alert, error) {
	return h.match(r, arrived, now, nil)
}

// match decodes and matches one record. The event ends here: what an alert needs of it
// is copied. A panic in either concerns this record alone.
func (h *Handler) match(r *kgo.Record, arrived, now time.Time, known *rule.Resolved) (alerts []alert.Alert, err error) {
	if large(r.Value) {
		h.large <- struct{}{}
		defer func() { <-h.large }()
	}
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("panic while matching", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			alerts, err = nil, outcome.Errorf(outcome.RulePanicked, "a rule or the decoder panicked (%T)", v)
		}
	}()
	return h.program.Load().Match(r, arrived, now, known)
}

// largeAtOnce is how many large events are in memory at once, over all
// partitions: a kilobyte of gzip may take tens of megabytes while it is decoded
// and matched.
const largeAtOnce = 4

// smallValue is up to how many bytes a value that is not packed needs no turn.
const smallValue = 64 << 10

// large reports whether a record's event may take much more than the record.
func large(value []byte) bool { return len(value) > smallValue || event.Compressed(value) }

// Identity returns what the ids of a record's alerts are made of.
func (h *Handler) Identity(s envelope.Source) alert.Source {
	topic := s.TopicID
	if topic == "" {
		topic = s.Topic
	}
	return alert.Source{Cluster: h.p.Cluster, Topic: topic, Partition: s.Partition, Offset: s.Offset}
}

// Raise gives an alert its id and counts it. A resolved one is no alert of its own, and
// goes to the fallback channels too: they may have been told that its key fires.
func (h *Handler) Raise(a *alert.Alert, source alert.Source) {
	h.identify(a, source)
	h.count(a)
}

func (h *Handler) identify(a *alert.Alert, source alert.Source) {
	if a.State != alert.Resolved {
		a.ID = alert.NewID(h.p.Group, source, a.Rule)
		return
	}
	a.ID = alert.NewResolvedID(h.p.Group, source, a.Rule)
	for _, channel := range a.Channels {
		if to := h.p.Fallbacks[channel]; to != "" && !slices.Contains(a.Channels, to) {
			a.Channels = append(slices.Clip(a.Channels), to)
		}
	}
}

func (h *Handler) count(a *alert.Alert) {
	if a.State != alert.Resolved {
		h.metrics.alert(a)
	}
}
