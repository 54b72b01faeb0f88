package tracing

import (
	"context"
	"net/http"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Header is the header of a trace (W3C Trace Context).
const Header = "traceparent"

const stateHeader = "tracestate"

var w3c propagation.TraceContext

// Of returns the last valid traceparent in a record's headers; empty: none.
func Of(headers []kgo.RecordHeader) string { return text(remote(headers)) }

// remote returns the span in a record's headers.
func remote(headers []kgo.RecordHeader) trace.SpanContext {
	for i := len(headers) - 1; i >= 0; i-- {
		if !strings.EqualFold(headers[i].Key, Header) {
			continue
		}
		if sc := parse(string(headers[i].Value)); sc.IsValid() {
			return withState(sc, headers)
		}
	}
	return trace.SpanContext{}
}

// withState adds the tracestate.
func withState(sc trace.SpanContext, headers []kgo.RecordHeader) trace.SpanContext {
	for i := len(headers) - 1; i >= 0; i-- {
		if strings.EqualFold(headers[i].Key, stateHeader) {
			if state, err := trace.ParseTraceState(string(headers[i].Value)); err == nil {
				return sc.WithTraceState(state)
			}
		}
	}
	return sc
}

// handed returns the span of a traceparent, with the source's tracestate if the trace is the same.
func handed(traceparent string, source []kgo.RecordHeader) trace.SpanContext {
	sc := parse(traceparent)
	if !sc.IsValid() {
		return sc
	}
	if from := remote(source); from.TraceID() == sc.TraceID() {
		sc = sc.WithTraceState(from.TraceState())
	}
	return sc
}

// maxHeader is longer than any valid traceparent.
const maxHeader = 512

func parse(traceparent string) trace.SpanContext {
	if traceparent == "" || len(traceparent) > maxHeader {
		return trace.SpanContext{}
	}
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), propagation.MapCarrier{Header: traceparent}))
}

// text returns a traceparent; empty: none.
func text(sc trace.SpanContext) string {
	if !sc.IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	w3c.Inject(trace.ContextWithSpanContext(context.Background(), sc), carrier)
	return carrier[Header]
}

// Inject adds the trace of ctx to a request's headers.
func Inject(ctx context.Context, h http.Header) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		w3c.Inject(ctx, propagation.HeaderCarrier(h))
	}
}

// Log returns the attributes trace_id and span_id; none without a trace.
func Log(traceparent string) []any {
	sc := parse(traceparent)
	if !sc.IsValid() {
		return nil
	}
	return []any{"trace_id", sc.TraceID().String(), "span_id", sc.SpanID().String()}
}

// TraceID returns the trace id of a traceparent; empty: none.
func TraceID(traceparent string) string {
	if sc := parse(traceparent); sc.IsValid() {
		return sc.TraceID().String()
	}
	return ""
}
