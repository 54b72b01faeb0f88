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

// Attributes of the semantic conventions of OpenTelemetry 1.43: messaging and Kafka (in
// development), HTTP and errors (stable). Our own begin with "notifier.". Record keys are not
// attributes, since they can be anything.
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

// Record is the record of a span.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Group     string // consumer group
	Size      int    // of the value, in bytes
}

func (r *Record) options() []trace.SpanStartOption {
	return []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String(system, "kafka"), attribute.String(operation, "process"), attribute.String(kind, "process"),
		attribute.String(topic, r.Topic), attribute.String(partition, strconv.Itoa(int(r.Partition))), attribute.Int64(offset, r.Offset),
		attribute.String(group, r.Group), attribute.Int(size, r.Size),
	)}
}

// Process starts the span of a record that ingest reads, in the trace of its headers.
func (t *Tracer) Process(r Record, headers []kgo.RecordHeader) *Span {
	parent := remote(headers)
	if t == nil {
		return forward(parent)
	}
	return t.start(parent, "process "+r.Topic, r.options()...)
}

// Replay starts the span of a replay request: a new trace, linked to the dead letter's.
func (t *Tracer) Replay(r Record, deadLetter string) *Span {
	if t == nil {
		return nil
	}
	return t.start(trace.SpanContext{}, "process "+r.Topic, append(r.options(), links([]string{deadLetter})...)...)
}

// Deliver starts the span of a delivery at the time its record was read, in the record's trace.
// It links the other deliveries of the message.
func (t *Tracer) Deliver(r Record, traceparent string, source []kgo.RecordHeader, since time.Time, others []string) *Span {
	parent := handed(traceparent, source)
	if t == nil {
		return forward(parent)
	}
	return t.start(parent, "process "+r.Topic, append(append(r.options(), trace.WithTimestamp(since)), links(others)...)...)
}

// Send starts the span of a produced record, below a span of this process.
func (t *Tracer) Send(topicName, traceparent string, source []kgo.RecordHeader) *Span {
	parent := handed(traceparent, source).WithRemote(false)
	if t == nil {
		return forward(parent)
	}
	return t.start(parent, "send "+topicName, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String(system, "kafka"), attribute.String(operation, "send"), attribute.String(kind, "send"), attribute.String(topic, topicName),
	))
}

// links returns links to the valid traceparents.
func links(traceparents []string) []trace.SpanStartOption {
	var list []trace.Link
	for _, text := range traceparents {
		if sc := parse(text); sc.IsValid() {
			list = append(list, trace.Link{SpanContext: sc})
		}
	}
	return []trace.SpanStartOption{trace.WithLinks(list...)}
}

// Span is a span of a trace. The methods of a nil Span do nothing.
type Span struct {
	span   trace.Span
	tracer trace.Tracer
}

// Attempt starts the span of one delivery attempt, below s.
func (s *Span) Attempt(ctx context.Context, channel string, number int) (context.Context, *Span) {
	if s == nil {
		return ctx, nil
	}
	ctx, span := s.tracer.Start(trace.ContextWithSpan(ctx, s.span), "attempt "+channel, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String(own+"channel", channel), attribute.Int(own+"attempt", number)))
	return ctx, &Span{span: span, tracer: s.tracer}
}

// Answered sets the HTTP status in the span of ctx.
func Answered(ctx context.Context, code int) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.Int(status, code))
	}
}

// Traceparent returns the span as a parent; empty: no trace.
func (s *Span) Traceparent() string {
	if s == nil {
		return ""
	}
	return text(s.span.SpanContext())
}

// Set adds our own attributes, named as in the log.
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
				s.span.SetAttributes(key.String(strings.ToValidUTF8(text, "\uFFFD"))) // otherwise the batch cannot be encoded
			}
		}
	}
}

// Wrote sets partition and offset of a produced record.
func (s *Span) Wrote(part int32, at int64) {
	if s != nil {
		s.span.SetAttributes(attribute.String(partition, strconv.Itoa(int(part))), attribute.Int64(offset, at))
	}
}

// Fail marks the span as failed with a word of a closed list; error texts may contain anything.
func (s *Span) Fail(word string) {
	if s != nil {
		s.span.SetStatus(codes.Error, word)
		s.span.SetAttributes(attribute.String(errorType, word))
	}
}

// End ends the span. Further calls do nothing.
func (s *Span) End() {
	if s != nil {
		s.span.End()
	}
}
