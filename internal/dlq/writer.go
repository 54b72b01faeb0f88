package dlq

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/topics"
)

// Writer writes dead letters with its own producer, so that a blocked outbox does not
// delay them. It is safe for concurrent use.
type Writer struct {
	p       WriterParams
	follow  *Follower
	log     *slog.Logger
	written *prometheus.CounterVec
	failed  *prometheus.CounterVec
	refused *prometheus.CounterVec
	large   chan struct{} // size 1: the turn to produce a large record
}

// WriterParams is what a Writer needs.
type WriterParams struct {
	// Client is idempotent, with acks=all, bounded delivery and a manual partitioner.
	Client   *kgo.Client
	Group    string
	Redactor *secret.Redactor // removes secrets from details
	Logger   *slog.Logger
	Tracer   *tracing.Tracer // nil: no spans
	Registry prometheus.Registerer
	Written  func(*Entry)  // called for every acknowledged entry; may be nil
	Closed   func(Closure) // called for every acknowledged tombstone; may be nil
}

// Closure closes an entry.
type Closure struct {
	Topic     string // the dead-letter topic
	Partition int32
	Key       []byte // the entry's id as bytes
	Offset    int64  // of the tombstone, once it is written
	Closing
}

// WriteTimeout bounds one call of Write or CloseEntries.
const WriteTimeout = 10 * time.Second

// NewWriter returns a writer for the dead-letter topics of a group.
func NewWriter(p WriterParams) *Writer {
	w := &Writer{
		p: p, follow: NewFollower(func(topic string) { p.Client.PurgeTopicsFromProducing(topic) }), log: p.Logger.With("component", "dlq"),
		large: make(chan struct{}, 1),
		written: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_dead_letters_total", Help: "Dead letters written and acknowledged.",
		}, []string{"topic", "reason"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_dead_letter_write_failures_total", Help: "Attempts to write a dead letter that failed.",
		}, []string{"topic"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifier_dead_letters_refused_total",
			Help: "Dead letters, and closings of dead letters, that the brokers refuse as too large even in their smallest form: they are in the log only.",
		}, []string{"topic"}),
	}
	for _, t := range topics.All() {
		for _, r := range outcome.Reasons() {
			w.written.WithLabelValues(string(t), string(r))
		}
		w.failed.WithLabelValues(string(t))
		w.refused.WithLabelValues(string(t))
	}
	if p.Registry != nil {
		p.Registry.MustRegister(w.written, w.failed, w.refused)
	}
	return w
}

// Write writes entries and returns once all in-sync replicas have them all. After an
// error some may be missing: write them all again, the ids collapse duplicates. An
// entry that is too large is written in a smaller form (see forms). One whose
// smallest form is refused is counted and logged with the place of its record, and is
// no error: it must not block what follows. Sets Offset; -1: not written.
func (w *Writer) Write(ctx context.Context, entries ...*Entry) error {
	writes, spans := make([]write, len(entries)), make([]*tracing.Span, len(entries))
	for i, e := range entries {
		topic := w.Topic(e)
		traced, span := w.begin(e)
		spans[i] = span
		for _, form := range forms {
			writes[i].forms = append(writes[i].forms, func() *kgo.Record { return form(traced, topic) })
		}
		if writes[i].size = traced.sourceSize(); writes[i].size > w.limit(topic) {
			writes[i].form, writes[i].size = asPointer, 0
		}
	}
	err := w.produce(ctx, writes)
	for i, e := range entries {
		x := &writes[i]
		e.Offset = x.offset()
		if x.err != nil {
			spans[i].Fail(string(outcome.WriteFailed))
		} else {
			spans[i].Wrote(x.record.Partition, x.record.Offset)
		}
		spans[i].End()
		switch {
		case TooLarge(x.err):
			w.refuse(e, x.record.Topic)
		case x.err != nil:
			count(w.failed, e.Envelope.Source.Topic)
		default:
			if x.form >= asPointer {
				w.log.Error("dead letter does not fit into its topic, only a pointer to its source is kept: raise max.message.bytes",
					"topic", x.record.Topic, "entry", e.ID, "source", e.Envelope.Source.String(), "bytes", len(e.Envelope.Source.Value))
			}
			count(w.written, e.Envelope.Source.Topic, string(e.Reason))
			if w.p.Written != nil {
				w.p.Written(e)
			}
		}
	}
	return err
}

// count increments only series that exist: values from an entry must not create one.
func count(in *prometheus.CounterVec, labels ...string) {
	known := slices.Contains(topics.All(), topics.Name(labels[0])) && (len(labels) == 1 || slices.Contains(outcome.Reasons(), outcome.Reason(labels[1])))
	if known {
		in.WithLabelValues(labels...).Inc()
	}
}

// begin begins the span of an entry, and returns the entry as it is written: with that
// span's trace, and without secrets in its detail.
func (w *Writer) begin(e *Entry) (*Entry, *tracing.Span) {
	span := w.p.Tracer.Send(w.Topic(e), e.Envelope.Trace, e.Envelope.Source.Headers)
	span.Set(slog.String("entry", e.ID), slog.String("reason", string(e.Reason)), slog.String("cause", string(e.Cause)))
	written, env := *e, *e.Envelope
	env.Trace, written.Envelope = span.Traceparent(), &env
	written.Detail = w.p.Redactor.Redact(e.Detail)
	return &written, span
}

// CloseEntries writes the tombstones of entries and returns once all in-sync replicas
// have them all. After an error close them all again: closing twice is closing once.
// A tombstone that is too large loses its comments; one that is refused nevertheless
// is counted and logged, and its entry stays open. Sets Offset; -1: not written.
func (w *Writer) CloseEntries(ctx context.Context, closes ...*Closure) error {
	writes := make([]write, len(closes))
	for i, c := range closes {
		brief := *c
		brief.Closing = Closing{State: c.State, At: c.At, Below: c.Below}
		writes[i].forms = []func() *kgo.Record{c.Encode, brief.Encode}
	}
	err := w.produce(ctx, writes)
	for i, c := range closes {
		c.Offset = writes[i].offset()
		if TooLarge(writes[i].err) {
			w.refused.WithLabelValues(sourceOf(c.Topic)).Inc()
			w.log.Error("closing of a dead letter refused as too large, the dead letter stays open: raise max.message.bytes of its topic",
				"topic", c.Topic, "entry", string(c.Key), "outcome", c.State, "by", c.By, "at", c.At.UTC().Format(time.RFC3339))
		}
		if c.Offset >= 0 && w.p.Closed != nil {
			w.p.Closed(*c)
		}
	}
	return err
}

// Topic returns the dead-letter topic an entry goes to.
func (w *Writer) Topic(e *Entry) string {
	return topics.DeadLetter(w.p.Group, topics.Name(e.Envelope.Source.Topic))
}
