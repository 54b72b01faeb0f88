package tracing

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// encode writes spans, which are all of one resource and one scope, as the
// body of a request (opentelemetry/proto/collector/trace/v1). Events are not
// written: no span here has any.
func encode(spans []sdk.ReadOnlySpan) []byte {
	first := spans[0]
	scope := &otlp.ScopeSpans{
		Scope: &common.InstrumentationScope{Name: first.InstrumentationScope().Name, Version: first.InstrumentationScope().Version},
		Spans: make([]*otlp.Span, len(spans)),
	}
	for i, s := range spans {
		scope.Spans[i] = span(s)
	}
	body, _ := proto.Marshal(&collector.ExportTraceServiceRequest{ResourceSpans: []*otlp.ResourceSpans{{
		Resource: &resource.Resource{Attributes: attributes(first.Resource().Attributes())}, SchemaUrl: first.Resource().SchemaURL(),
		ScopeSpans: []*otlp.ScopeSpans{scope},
	}}}) // text is made valid UTF-8 before: nothing is left that can fail
	return body
}

func span(s sdk.ReadOnlySpan) *otlp.Span {
	sc, parent := s.SpanContext(), s.Parent()
	trace, id := sc.TraceID(), sc.SpanID()
	out := &otlp.Span{
		TraceId: trace[:], SpanId: id[:], TraceState: sc.TraceState().String(), Flags: flags(sc, parent),
		Name: s.Name(), Kind: otlp.Span_SpanKind(s.SpanKind()), // the same numbers
		StartTimeUnixNano: uint64(s.StartTime().UnixNano()), EndTimeUnixNano: uint64(s.EndTime().UnixNano()),
		Attributes: attributes(s.Attributes()), DroppedAttributesCount: uint32(s.DroppedAttributes()), DroppedLinksCount: uint32(s.DroppedLinks()),
		Status: &otlp.Status{},
	}
	if id := parent.SpanID(); id.IsValid() {
		out.ParentSpanId = id[:]
	}
	if s.Status().Code == codes.Error {
		out.Status = &otlp.Status{Code: otlp.Status_STATUS_CODE_ERROR, Message: s.Status().Description}
	}
	for _, l := range s.Links() {
		trace, id := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		out.Links = append(out.Links, &otlp.Span_Link{TraceId: trace[:], SpanId: id[:], TraceState: l.SpanContext.TraceState().String()})
	}
	return out
}

// flags are those of W3C in the low byte, and above it whether the parent is
// in another process (SpanFlags in trace.proto).
func flags(sc, parent trace.SpanContext) uint32 {
	f := uint32(sc.TraceFlags()) | uint32(otlp.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	if parent.IsRemote() {
		f |= uint32(otlp.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
	}
	return f
}

func attributes(list []attribute.KeyValue) []*common.KeyValue {
	out := make([]*common.KeyValue, len(list))
	for i, a := range list {
		out[i] = &common.KeyValue{Key: string(a.Key), Value: value(a.Value)}
	}
	return out
}

func value(v attribute.Value) *common.AnyValue {
	switch v.Type() {
	case attribute.BOOL:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v.AsBool()}}
	case attribute.INT64:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v.AsInt64()}}
	case attribute.FLOAT64:
		return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: v.AsFloat64()}}
	}
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.ToValidUTF8(v.String(), "�")}}
}
