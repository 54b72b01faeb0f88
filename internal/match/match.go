// Package match is stage one: it reads source topics, decodes each record,
// asks the rules, and writes one record per alert and channel into the
// channel's outbox topic, in source order. What cannot be decoded becomes a
// dead letter. A source offset is settled only when everything its record
// raised is acknowledged. Start reading at Handler.Handle.
package match

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
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/repeat"
	"github.com/algotrade/notifier/internal/tracing"
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
	Outboxes *Outboxes
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
}

// New returns a handler.
func New(p Params) *Handler {
	return &Handler{p: p, log: p.Logger.With("component", "match"), metrics: newMetrics(p)}
}

// Handle works through one partition in order, a batch at a time: match all,
// produce what they raise as it is found, wait for the acknowledgements at the
// end of the batch. A batch without alerts waits for nothing.
func (h *Handler) Handle(ctx context.Context, p *consume.Partition) {
	for {
		records, err := p.Next(ctx)
		if err != nil {
			return
		}
		b := &batch{h: h, p: p, topicID: p.TopicID(), done: p.Committed()}
		count := h.metrics.topic(p.Topic)
		if p.Crashes(records[0]) {
			count.deadLettered.Inc()
			b.bury(records[0], outcome.Errorf(outcome.Crashes, "processes died while they handled this record: it is not handled again"))
			records = records[:1]
		} else {
			for _, r := range records {
				b.record(r, count)
			}
		}
		p.Handled(records[len(records)-1].Offset)
		if !b.settle(ctx) {
			return // revoked or stopping: the next owner does it again
		}
		p.Advance(records[len(records)-1], b.urgent)
	}
}

// batch is what one call of Next has raised.
type batch struct {
	h       *Handler
	p       *consume.Partition
	topicID string
	done    repeat.Position
	writes  []*write
	dead    []*dlq.Entry
	urgent  bool
}

// record handles one record; a quiet one costs decoding and matching only.
func (b *batch) record(r *kgo.Record, count *topicMetrics) {
	if o, ok := consume.OversizedOf(r); ok {
		count.deadLettered.Inc()
		b.oversized(r, o)
		return
	}
	ev, alerts, err := b.h.match(r)
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
		b.raise(r, ev, alerts)
	}
}

// match decodes and matches one record. A panic in either concerns this record
// alone.
func (h *Handler) match(r *kgo.Record) (ev event.Event, alerts []alert.Alert, err error) {
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("panic while matching", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			alerts, err = nil, outcome.Errorf(outcome.RulePanicked, "a rule or the decoder panicked (%T)", v)
		}
	}()
	ev, err = h.p.Decoder.Decode(recordOf(r))
	if err != nil {
		return event.Event{}, nil, err
	}
	alerts, err = h.p.Rules.Match(&ev, time.Now())
	return ev, alerts, err
}

// raise produces one outbox record per alert and channel.
func (b *batch) raise(r *kgo.Record, ev event.Event, alerts []alert.Alert) {
	b.urgent = true
	src := b.source(r)
	id := b.identity(src)
	span := b.span(r)
	defer span.End()
	span.Set(slog.String("event", ev.ID), slog.String("event_type", ev.Type), slog.String("outcome", "alerted"), slog.Int("alerts", len(alerts)))
	for i := range alerts {
		a := &alerts[i]
		a.ID = alert.NewID(b.h.p.Group, id, a.Rule)
		b.h.metrics.alert(a)
		for _, channel := range a.Channels {
			e := &envelope.Envelope{Source: src, Alert: a, Channel: channel, Delivery: alert.NewDelivery(a.ID, channel), Trace: span.Traceparent()}
			e.From = repeat.Write{
				Input:    repeat.Input{Topic: b.topicID, Partition: r.Partition},
				From:     repeat.Position{Epoch: r.LeaderEpoch, Offset: r.Offset},
				Done:     b.done,
				Delivery: e.Delivery,
			}
			b.writes = append(b.writes, b.h.p.Outboxes.start(e))
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

func recordOf(r *kgo.Record) event.Record {
	rec := event.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Time: r.Timestamp}
	if len(r.Headers) > 0 {
		rec.Headers = make([]event.Header, len(r.Headers))
		for i, h := range r.Headers {
			rec.Headers[i] = event.Header{Name: h.Key, Value: h.Value}
		}
	}
	return rec
}
