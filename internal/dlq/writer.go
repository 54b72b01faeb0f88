package dlq

import (
	"context"
	"fmt"
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

// Writer writes dead letters with a producer of its own, so that a blocked
// outbox never delays one. It is safe for concurrent use.
type Writer struct {
	p       WriterParams
	follow  *Follower
	log     *slog.Logger
	written *prometheus.CounterVec
	failed  *prometheus.CounterVec
	refused *prometheus.CounterVec
}

// WriterParams is what a Writer needs.
type WriterParams struct {
	// Client must be made for it: idempotent, acks=all, with bounded delivery and a
	// manual partitioner.
	Client   *kgo.Client
	Group    string
	Redactor *secret.Redactor // takes secrets out of details
	Logger   *slog.Logger
	Tracer   *tracing.Tracer // makes a span of every dead letter; nil: none
	Registry prometheus.Registerer
	Written  func(*Entry)  // is called for every entry that was acknowledged; may be nil
	Closed   func(Closure) // is called for every entry that was closed; may be nil
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

// NewWriter returns a writer for the dead-letter topics of a group.
func NewWriter(p WriterParams) *Writer {
	w := &Writer{
		p: p, follow: NewFollower(func(topic string) { p.Client.PurgeTopicsFromProducing(topic) }), log: p.Logger.With("component", "dlq"),
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

// Write writes entries and returns once all in-sync replicas have them all. An
// error means that some may be missing: write them all again, the ids collapse
// duplicates. An entry that is too large is written in a smaller form (see
// forms); one of which the brokers refuse even the smallest is counted and
// logged, with the place where its record can be read, and is no error: it must
// not hold up what follows it. What is written has its Offset, else -1.
func (w *Writer) Write(ctx context.Context, entries ...*Entry) error {
	ctx, cancel := context.WithTimeout(ctx, WriteTimeout)
	defer cancel()
	records, turns := make([]*kgo.Record, len(entries)), make([]int, len(entries))
	spans, written := make([]*tracing.Span, len(entries)), make([]int, len(entries)) // in which form
	for i, e := range entries {
		e, spans[i] = w.begin(e)
		topic := w.Topic(e)
		written[i] = e.firstForm(w.limit(topic))
		records[i] = forms[written[i]](e, topic)
		turns[i] = w.follow.Turn(topic)
	}
	results := w.p.Client.ProduceSync(ctx, records...)
	var first error
	byRecord := make(map[*kgo.Record]error, len(results))
	for _, r := range results {
		byRecord[r.Record] = r.Err
	}
	for i, e := range entries {
		err := byRecord[records[i]]
		if TooLarge(err) {
			records[i], written[i], err = w.alone(ctx, e, records[i].Topic, written[i])
		}
		if TooLarge(err) {
			w.giveUp(e, records[i].Topic)
			spans[i].Fail(string(outcome.WriteFailed))
			spans[i].End()
			e.Offset = -1
			continue
		}
		if err != nil {
			spans[i].Fail(string(outcome.WriteFailed))
		} else {
			spans[i].Wrote(records[i].Partition, records[i].Offset)
		}
		spans[i].End()
		if err != nil {
			w.follow.Failed(records[i].Topic, turns[i], err)
			count(w.failed, e.Envelope.Source.Topic)
			if first == nil {
				first = fmt.Errorf("write dead letter to %s: %w", records[i].Topic, err)
			}
			continue
		}
		if written[i] >= asPointer {
			w.sayPointer(e, records[i].Topic)
		}
		e.Offset = records[i].Offset
		count(w.written, e.Envelope.Source.Topic, string(e.Reason))
		if w.p.Written != nil {
			w.p.Written(e)
		}
	}
	return first
}

// count counts by labels that were created at zero: what an entry says makes no
// series of its own.
func count(in *prometheus.CounterVec, labels ...string) {
	known := slices.Contains(topics.All(), topics.Name(labels[0])) && (len(labels) == 1 || slices.Contains(outcome.Reasons(), outcome.Reason(labels[1])))
	if known {
		in.WithLabelValues(labels...).Inc()
	}
}

// begin begins the span of an entry that is written, and returns the entry as
// it is written: it names that span, and its detail holds no secret.
func (w *Writer) begin(e *Entry) (*Entry, *tracing.Span) {
	span := w.p.Tracer.Send(w.Topic(e), e.Envelope.Trace, e.Envelope.Source.Headers)
	span.Set(slog.String("entry", e.ID), slog.String("reason", string(e.Reason)), slog.String("cause", string(e.Cause)))
	written, env := *e, *e.Envelope
	env.Trace, written.Envelope = span.Traceparent(), &env
	written.Detail = w.p.Redactor.Redact(e.Detail)
	return &written, span
}

// CloseEntries writes the tombstones of entries and returns once all in-sync replicas
// have them all; each then has its Offset. After an error, close them all
// again: closing twice is closing once. A tombstone that is too large loses its
// comments; one that is refused even so is counted and logged, and its entry stays
// as it is.
func (w *Writer) CloseEntries(ctx context.Context, closes ...*Closure) error {
	ctx, cancel := context.WithTimeout(ctx, WriteTimeout)
	defer cancel()
	records, turns := make([]*kgo.Record, len(closes)), make([]int, len(closes))
	for i, c := range closes {
		records[i], turns[i] = c.Encode(), w.follow.Turn(c.Topic)
	}
	errs := make(map[*kgo.Record]error, len(records))
	for _, result := range w.p.Client.ProduceSync(ctx, records...) {
		errs[result.Record] = result.Err
	}
	var first error
	for i, c := range closes {
		r, err := records[i], errs[records[i]]
		if TooLarge(err) {
			r, err = w.closeBriefly(ctx, *c)
		}
		switch {
		case TooLarge(err):
			w.giveUpClosing(c)
			c.Offset = -1
		case err != nil:
			w.follow.Failed(c.Topic, turns[i], err)
			if first == nil {
				first = fmt.Errorf("close dead letter in %s: %w", c.Topic, err)
			}
		default:
			c.Offset = r.Offset
		}
	}
	if first != nil {
		return first
	}
	for _, c := range closes {
		if w.p.Closed != nil && c.Offset >= 0 {
			w.p.Closed(*c)
		}
	}
	return nil
}

// Topic returns the dead-letter topic an entry goes to.
func (w *Writer) Topic(e *Entry) string {
	return topics.DeadLetter(w.p.Group, topics.Name(e.Envelope.Source.Topic))
}
