package tracing

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// The names follow the semantic conventions of OpenTelemetry 1.43 for
// messaging and Kafka, which are in development, and for HTTP and errors, which
// are stable. What is our own begins with "notifier.". A record's key stands
// in no span: it may be anything, of any size.
const (
	system    = "messaging.system"
	operation = "messaging.operation.name"
	kind      = "messaging.operation.type"
	topic     = "messaging.destination.name"
	partition = "messaging.destination.partition.id"
	offset    = "messaging.kafka.offset"
	group     = "messaging.consumer.group.name"
	size      = "messaging.message.body.size"
	status    = "http.response.status_code"
	errorType = "error.type"
	own       = "notifier."
)

// Record is the record that a span is about.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Group     string // that consumes it
	Size      int    // of its value, in bytes
}

func (r *Record) options() []trace.SpanStartOption {
	return []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String(system, "kafka"), attribute.String(operation, "process"), attribute.String(kind, "process"),
		attribute.String(topic, r.Topic), attribute.String(partition, strconv.Itoa(int(r.Partition))), attribute.Int64(offset, r.Offset),
		attribute.String(group, r.Group), attribute.Int(size, r.Size),
	)}
}

// Process begins the span of a record of a topic that ingest reads. It
// continues the trace that the record's headers name.
func (t *Tracer) Process(r Record, headers []kgo.RecordHeader) *Span {
	return t.start(remote(headers), "process "+r.Topic, r.options()...)
}

// Replay begins the span of a request to send a dead letter again: a trace of
// its own, linked to the one in which the dead letter was written.
func (t *Tracer) Replay(r Record, deadLetter string) *Span {
	return t.start(trace.SpanContext{}, "process "+r.Topic, append(r.options(), links([]string{deadLetter})...)...)
}

// Deliver begins the span of a delivery, at the time at which its record was
// taken out of the outbox. It continues the trace that the record names, and
// links those of the deliveries that its message speaks for as well.
func (t *Tracer) Deliver(r Record, traceparent string, source []kgo.RecordHeader, since time.Time, others []string) *Span {
	return t.start(handed(traceparent, source), "process "+r.Topic, append(append(r.options(), trace.WithTimestamp(since)), links(others)...)...)
}

// Send begins the span of a record that is written, below the span of this
// process that traceparent names.
func (t *Tracer) Send(topicName, traceparent string, source []kgo.RecordHeader) *Span {
	return t.start(handed(traceparent, source).WithRemote(false), "send "+topicName, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String(system, "kafka"), attribute.String(operation, "send"), attribute.String(kind, "send"), attribute.String(topic, topicName),
	))
}

// links are to the spans that are recorded; one that was not leads nowhere.
func links(traceparents []string) []trace.SpanStartOption {
	var list []trace.Link
	for _, text := range traceparents {
		if sc := parse(text); sc.IsValid() {
			list = append(list, trace.Link{SpanContext: sc})
		}
	}
	return []trace.SpanStartOption{trace.WithLinks(list...)}
}

// Span is something that happens in a trace, and takes time. All methods of a
// nil one do nothing.
type Span struct {
	span   trace.Span
	tracer trace.Tracer
}

// Attempt begins the span of one attempt to send to a channel, below s. What
// is done in its context belongs to it.
func (s *Span) Attempt(ctx context.Context, channel string, number int) (context.Context, *Span) {
	if s == nil {
		return ctx, nil
	}
	ctx, span := s.tracer.Start(trace.ContextWithSpan(ctx, s.span), "attempt "+channel, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String(own+"channel", channel), attribute.Int(own+"attempt", number)))
	return ctx, &Span{span: span, tracer: s.tracer}
}

// Answered notes, in the span that ctx belongs to, the status of an HTTP
// server's answer.
func Answered(ctx context.Context, code int) {
	trace.SpanFromContext(ctx).SetAttributes(attribute.Int(status, code))
}

// Traceparent returns the span as the parent of what follows from it; empty:
// there is no trace.
func (s *Span) Traceparent() string {
	if s == nil {
		return ""
	}
	return text(s.span.SpanContext())
}

// Set adds attributes of our own; their names are those of the log.
func (s *Span) Set(attrs ...slog.Attr) {
	if s == nil || !s.span.IsRecording() {
		return
	}
	for _, a := range attrs {
		key := attribute.Key(own + a.Key)
		switch v := a.Value.Resolve(); v.Kind() {
		case slog.KindInt64:
			s.span.SetAttributes(key.Int64(v.Int64()))
		case slog.KindBool:
			s.span.SetAttributes(key.Bool(v.Bool()))
		default:
			if text := v.String(); text != "" {
				s.span.SetAttributes(key.String(strings.ToValidUTF8(text, "\uFFFD"))) // else the whole batch cannot be encoded
			}
		}
	}
}

// Wrote notes where a record that was sent stands.
func (s *Span) Wrote(part int32, at int64) {
	if s != nil {
		s.span.SetAttributes(attribute.String(partition, strconv.Itoa(int(part))), attribute.Int64(offset, at))
	}
}

// Fail says what the span failed with: a word of a closed list, since an
// error's text may hold anything.
func (s *Span) Fail(word string) {
	if s != nil {
		s.span.SetStatus(codes.Error, word)
		s.span.SetAttributes(attribute.String(errorType, word))
	}
}

// End ends the span; a second time it does nothing.
func (s *Span) End() {
	if s != nil {
		s.span.End()
	}
}
