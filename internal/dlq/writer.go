package dlq

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/tracing"
)

// Writer writes dead letters with a producer of its own, so that a blocked
// outbox never delays one. It is safe for concurrent use.
type Writer struct {
	client  *kgo.Client
	follow  *Follower
	group   string
	log     *slog.Logger
	written *prometheus.CounterVec
	failed  *prometheus.CounterVec
	// Observe, if set, is told of every entry that was acknowledged.
	Observe func(*Entry)
	// ObserveClosed, if set, is told of every entry that was closed.
	ObserveClosed func(Closure)
	// Tracer, if set, makes a span of every dead letter that is written.
	Tracer *tracing.Tracer
}

// Closure is an entry to be closed: where it stands, under which key, and how.
type Closure struct {
	Topic     string // the dead-letter topic
	Partition int32
	Key       []byte // the entry's id as bytes
	Offset    int64  // where the tombstone stands, once it is written
	Closing
}

// WriteTimeout bounds one call of Write.
const WriteTimeout = 10 * time.Second

// NewWriter returns a writer for the dead-letter topics of group. The client
// must be made for it: idempotent, acks=all, with bounded delivery and a
// manual partitioner.
func NewWriter(client *kgo.Client, group string, log *slog.Logger, reg prometheus.Registerer) *Writer {
	w := &Writer{
		client: client, follow: NewFollower(client), group: group, log: log.With("component", "dlq"),
		written: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_dead_letters_total", Help: "Dead letters written and acknowledged.",
		}, []string{"topic", "reason"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_dead_letter_write_failures_total", Help: "Attempts to write a dead letter that failed.",
		}, []string{"topic"}),
	}
	for _, t := range topics.All() {
		for _, r := range outcome.Reasons() {
			w.written.WithLabelValues(string(t), string(r))
		}
		w.failed.WithLabelValues(string(t))
	}
	if reg != nil {
		reg.MustRegister(w.written, w.failed)
	}
	return w
}

// Write writes entries and returns once all in-sync replicas have them all. An
// error means that some may be missing: write them all again, the ids collapse
// duplicates. An entry that is too large loses its detail, then its value. What
// is written has its Offset.
func (w *Writer) Write(ctx context.Context, entries ...*Entry) error {
	ctx, cancel := context.WithTimeout(ctx, WriteTimeout)
	defer cancel()
	records, turns := make([]*kgo.Record, len(entries)), make([]int, len(entries))
	spans := make([]*tracing.Span, len(entries))
	for i, e := range entries {
		e, spans[i] = w.begin(e)
		records[i] = e.Encode(w.Topic(e))
		turns[i] = w.follow.Turn(records[i].Topic)
	}
	results := w.client.ProduceSync(ctx, records...)
	var first error
	byRecord := make(map[*kgo.Record]error, len(results))
	for _, r := range results {
		byRecord[r.Record] = r.Err
	}
	for i, e := range entries {
		err := byRecord[records[i]]
		if errors.Is(err, kerr.MessageTooLarge) {
			records[i], err = w.shrink(ctx, e, records[i])
		}
		if err != nil {
			spans[i].Fail(string(outcome.WriteFailed))
		} else {
			spans[i].Wrote(records[i].Partition, records[i].Offset)
		}
		spans[i].End()
		if err != nil {
			w.follow.Failed(records[i].Topic, turns[i], err)
			w.failed.WithLabelValues(e.Envelope.Source.Topic).Inc()
			if first == nil {
				first = fmt.Errorf("write dead letter to %s: %w", records[i].Topic, err)
			}
			continue
		}
		e.Offset = records[i].Offset
		w.written.WithLabelValues(e.Envelope.Source.Topic, string(e.Reason)).Inc()
		if w.Observe != nil {
			w.Observe(e)
		}
	}
	return first
}

// begin begins the span of an entry that is written, and returns the entry as
// it is written: it names that span.
func (w *Writer) begin(e *Entry) (*Entry, *tracing.Span) {
	span := w.Tracer.Send(w.Topic(e), e.Envelope.Trace, e.Envelope.Source.Headers)
	span.Set(slog.String("entry", e.ID), slog.String("reason", string(e.Reason)), slog.String("cause", string(e.Cause)))
	written, env := *e, *e.Envelope
	env.Trace, written.Envelope = span.Traceparent(), &env
	return &written, span
}

// CloseEntries writes the tombstones of entries and returns once all in-sync replicas
// have them all; each then has its Offset. After an error, close them all
// again: closing twice is closing once.
func (w *Writer) CloseEntries(ctx context.Context, closes ...*Closure) error {
	ctx, cancel := context.WithTimeout(ctx, WriteTimeout)
	defer cancel()
	records, turns := make([]*kgo.Record, len(closes)), make([]int, len(closes))
	for i, c := range closes {
		records[i], turns[i] = c.Encode(), w.follow.Turn(c.Topic)
	}
	results := w.client.ProduceSync(ctx, records...)
	if err := results.FirstErr(); err != nil {
		for i, r := range records {
			for _, result := range results {
				if result.Record == r {
					w.follow.Failed(r.Topic, turns[i], result.Err)
				}
			}
		}
		return fmt.Errorf("close dead letter in %s: %w", records[0].Topic, err)
	}
	for i, c := range closes {
		c.Offset = records[i].Offset
		if w.ObserveClosed != nil {
			w.ObserveClosed(*c)
		}
	}
	return nil
}

// Topic returns the dead-letter topic an entry goes to.
func (w *Writer) Topic(e *Entry) string {
	return topics.DeadLetter(w.group, topics.Name(e.Envelope.Source.Topic))
}

// shrink writes an entry that did not fit: without its detail, then as a
// pointer to its source. A partition is never held for the sake of a detail.
func (w *Writer) shrink(ctx context.Context, e *Entry, r *kgo.Record) (*kgo.Record, error) {
	plain := *e
	plain.Detail = ""
	less, err := w.client.ProduceSync(ctx, plain.Encode(r.Topic)).First()
	if !errors.Is(err, kerr.MessageTooLarge) {
		return less, err
	}
	w.log.Error("dead letter does not fit into its topic: keeping a pointer to its source only; raise max.message.bytes",
		"topic", r.Topic, "entry", e.ID, "source", e.Envelope.Source.String(), "bytes", len(e.Envelope.Source.Value))
	return w.client.ProduceSync(ctx, pointer(r, e)).First()
}
