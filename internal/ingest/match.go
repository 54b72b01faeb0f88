// Package ingest is stage one: it reads source topics, decodes each record,
// asks the rules, and writes one record per alert and channel into the
// channel's outbox topic, in source order. What cannot be decoded becomes a
// dead letter. A source offset is settled only when everything its record
// raised is acknowledged. Start reading at Handler.Handle.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
)

// Decoder turns a record into an event.
type Decoder interface {
	Decode(rec event.Record) (event.Event, error)
}

// Rules says which alerts an event raises. An error is an *outcome.Error.
type Rules interface {
	Match(ev *event.Event, now time.Time) ([]alert.Alert, error)
}

// Params is what a Handler needs.
type Params struct {
	Group    string
	Cluster  string
	Decoder  Decoder
	Rules    Rules
	Outboxes *outbox.Producer
	Dead     *dlq.Writer
	Topics   []string // for metrics created at zero
	RuleList []RuleName
	// MaxReplays is after how many replays a dead letter is quarantined.
	MaxReplays int
	Tracer     *tracing.Tracer // nil: no spans
	Logger     *slog.Logger
	Registry   prometheus.Registerer
}

// RuleName names a rule and a severity it can yield, for metrics.
type RuleName struct {
	Rule     string
	Severity alert.Severity
}

// Handler is a consume.Handler for source partitions.
type Handler struct {
	p       Params
	log     *slog.Logger
	metrics *metrics
	large   chan struct{} // a turn for each large event: see largeAtOnce
}

// New returns a handler.
func New(p Params) *Handler {
	return &Handler{p: p, log: p.Logger.With("component", "match"), metrics: newMetrics(p), large: make(chan struct{}, largeAtOnce)}
}

// Handle works through one partition in order, a batch at a time: match all,
// produce what they raise as it is found, wait for the acknowledgements at the
// end of the batch. A batch without alerts waits for nothing. One that raises
// more than maxHeld, or takes longer than maxBatch, is settled in parts.
func (h *Handler) Handle(ctx context.Context, p *consume.Partition) {
	for {
		records, err := p.Next(ctx)
		if err != nil {
			return
		}
		b, last, ok := h.look(ctx, p, records)
		p.Handled(last)
		if !ok || !b.settle(ctx) {
			return // revoked or stopping: the next owner does it again
		}
		p.Advance(b.until, b.urgent)
	}
}

// look looks at the records that Next has handed out. It returns what is still to be
// settled and the last offset that was looked at; false: ctx ended first.
func (h *Handler) look(ctx context.Context, p *consume.Partition, records []*kgo.Record) (b *batch, last int64, ok bool) {
	b, last = h.begin(p), records[0].Offset-1
	count := h.metrics.topic(p.Topic)
	if r := records[0]; p.Crashes(r) {
		count.deadLettered.Inc()
		b.bury(r, outcome.Errorf(outcome.Crashes, "processes died while they handled this record: it is not handled again"))
		b.until = r
		return b, r.Offset, true
	}
	for _, r := range records {
		if ctx.Err() != nil {
			return b, last, false
		}
		if b.full() {
			if !b.settle(ctx) {
				return b, last, false
			}
			p.AdvanceTo(offsets.Position{Epoch: b.until.LeaderEpoch, Offset: b.until.Offset + 1}, true)
			b = h.begin(p)
		}
		b.record(r, count)
		b.until, last = r, r.Offset
	}
	return b, last, true
}

const (
	// maxHeld is how many bytes of what a batch raises may await their
	// acknowledgement, and one record's alerts more.
	maxHeld = 4 << 20
	// maxBatch is how long a batch is matched before what is done of it is
	// committed: records that take a second each are not done again from the first
	// one, whenever the process ends.
	maxBatch = 500 * time.Millisecond
)

// entrySize is what a dead letter takes beside its texts, in bytes.
const entrySize = 1 << 10

// batch is what one call of Next has raised, or a part of it.
type batch struct {
	h       *Handler
	p       *consume.Partition
	topicID string
	done    offsets.Position
	writes  []*outbox.Write
	dead    []*dlq.Entry
	urgent  bool
	until   *kgo.Record // the last one that was looked at

	held        int       // bytes that writes and dead take beside their records
	first, last time.Time // when the first and the last record was matched
}

func (h *Handler) begin(p *consume.Partition) *batch {
	return &batch{h: h, p: p, topicID: p.TopicID(), done: p.Committed()}
}

// full reports whether the batch is to be settled before it goes on.
func (b *batch) full() bool { return b.held > maxHeld || b.last.Sub(b.first) > maxBatch }

// hold counts n bytes of what the batch has raised, until it is settled.
func (b *batch) hold(n int) {
	b.held += n
	b.p.Charge(n)
}

// record handles one record; a quiet one costs decoding and matching only.
func (b *batch) record(r *kgo.Record, count *topicMetrics) {
	if o, ok := consume.OversizedOf(r); ok {
		count.deadLettered.Inc()
		b.oversized(r, o)
		return
	}
	b.last = time.Now()
	if b.first.IsZero() {
		b.first = b.last
	}
	alerts, err := b.h.match(r, b.last, b.last)
	switch {
	case errors.Is(err, event.ErrTombstone):
		count.skipped.Inc()
	case err != nil:
		count.deadLettered.Inc()
		b.bury(r, err)
	case len(alerts) == 0:
		count.ignored.Inc()
	default:
		count.alerted.Inc()
		b.raise(r, alerts)
	}
}

// match decodes and matches one record that arrived at arrived. The event ends
// here: what an alert needs of it is copied. A panic in either concerns this
// record alone.
func (h *Handler) match(r *kgo.Record, arrived, now time.Time) (alerts []alert.Alert, err error) {
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
	ev, err := h.p.Decoder.Decode(recordOf(r, arrived))
	if err != nil {
		return nil, err
	}
	return h.p.Rules.Match(&ev, now)
}

// largeAtOnce is how many large events are in memory at once, over all
// partitions: a kilobyte of gzip may take tens of megabytes while it is decoded
// and matched.
const largeAtOnce = 4

// smallValue is up to how many bytes a value that is not packed needs no turn.
const smallValue = 64 << 10

// large reports whether a record's event may take much more than the record.
func large(value []byte) bool { return len(value) > smallValue || event.Compressed(value) }

// raise produces one outbox record per alert and channel.
func (b *batch) raise(r *kgo.Record, alerts []alert.Alert) {
	b.urgent = true
	src := b.source(r)
	id := b.identity(src)
	span := b.span(r)
	defer span.End()
	// The alert's own texts: those of the event share all its memory.
	span.Set(slog.String("event", alerts[0].EventID), slog.String("event_type", alerts[0].EventType), slog.String("outcome", "alerted"), slog.Int("alerts", len(alerts)))
	for i := range alerts {
		a := &alerts[i]
		a.ID = alert.NewID(b.h.p.Group, id, a.Rule)
		b.h.metrics.alert(a)
		for _, channel := range a.Channels {
			e := &envelope.Envelope{Source: src, Alert: a, Channel: channel, Delivery: alert.NewDelivery(a.ID, channel), Trace: span.Traceparent()}
			e.From = offsets.Write{
				Input:    offsets.Input{Topic: b.topicID, Partition: r.Partition},
				From:     offsets.Position{Epoch: r.LeaderEpoch, Offset: r.Offset},
				Done:     b.done,
				Delivery: e.Delivery,
			}
			w := b.h.p.Outboxes.Send(e)
			b.writes = append(b.writes, w)
			b.hold(w.Size())
		}
	}
}

// bury makes a dead letter of a record that could not be matched.
func (b *batch) bury(r *kgo.Record, err error) {
	b.urgent = true
	src := b.source(r)
	failure := outcome.Classify(err)
	span := b.span(r)
	defer span.End()
	span.Set(slog.String("outcome", "dead_lettered"))
	span.Fail(string(failure.Cause))
	b.dead = append(b.dead, dlq.Failed(alert.NewEntry(b.h.p.Group, b.identity(src)), &envelope.Envelope{Source: src, Trace: span.Traceparent()},
		dlq.Failure{Cause: failure.Cause, Detail: failure.Detail, Rule: failure.Rule, First: time.Now()}, b.h.p.MaxReplays))
	b.hold(entrySize)
}

// span begins the span of a record that something comes of.
func (b *batch) span(r *kgo.Record) *tracing.Span {
	return b.h.p.Tracer.Process(tracing.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Group: b.h.p.Group, Size: len(r.Value)}, r.Headers)
}

func (b *batch) source(r *kgo.Record) envelope.Source {
	return envelope.Source{
		Topic: r.Topic, TopicID: b.topicID, Partition: r.Partition, Offset: r.Offset,
		Time: r.Timestamp, Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
}

func (b *batch) identity(s envelope.Source) alert.Source {
	topic := s.TopicID
	if topic == "" {
		topic = s.Topic
	}
	return alert.Source{Cluster: b.h.p.Cluster, Topic: topic, Partition: s.Partition, Offset: s.Offset}
}

func recordOf(r *kgo.Record, arrived time.Time) event.Record {
	rec := event.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Time: r.Timestamp, Arrived: arrived}
	if len(r.Headers) > 0 {
		rec.Headers = make([]event.Header, len(r.Headers))
		for i, h := range r.Headers {
			rec.Headers[i] = event.Header{Name: h.Key, Value: h.Value}
		}
	}
	return rec
}
