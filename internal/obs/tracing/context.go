package tracing

import (
	"context"
	"net/http"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Header is the name of the header that carries a trace from one process to
// the next.
const Header = "traceparent"

const stateHeader = "tracestate"

var w3c propagation.TraceContext

// Of returns the trace that a record's headers name, as a traceparent: the
// last of them that is valid. Empty: none.
func Of(headers []kgo.RecordHeader) string { return text(remote(headers)) }

// remote is the span that a record's headers name.
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

// withState adds what vendors keep beside a trace.
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

// handed is the span that a record of ours names. What its source's headers
// keep beside the trace goes with it, if it still is the source's trace.
func handed(traceparent string, source []kgo.RecordHeader) trace.SpanContext {
	sc := parse(traceparent)
	if from := remote(source); sc.IsValid() && from.TraceID() == sc.TraceID() {
		sc = sc.WithTraceState(from.TraceState())
	}
	return sc
}

// maxHeader is longer than every traceparent that is known or planned.
const maxHeader = 512

func parse(traceparent string) trace.SpanContext {
	if len(traceparent) > maxHeader {
		return trace.SpanContext{}
	}
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), propagation.MapCarrier{Header: traceparent}))
}

// text writes a span's context as a traceparent; empty: it has none.
func text(sc trace.SpanContext) string {
	carrier := propagation.MapCarrier{}
	w3c.Inject(trace.ContextWithSpanContext(context.Background(), sc), carrier)
	return carrier[Header]
}

// Inject adds to a request the trace that ctx is part of. Without one it adds
// nothing.
func Inject(ctx context.Context, h http.Header) { w3c.Inject(ctx, propagation.HeaderCarrier(h)) }

// Log returns the attributes by which a line in the log is found beside a
// trace, trace_id and span_id; none without a trace.
func Log(traceparent string) []any {
	sc := parse(traceparent)
	if !sc.IsValid() {
		return nil
	}
	return []any{"trace_id", sc.TraceID().String(), "span_id", sc.SpanID().String()}
}

// TraceID returns the id of the trace that a traceparent names; empty: it
// names none.
func TraceID(traceparent string) string {
	if sc := parse(traceparent); sc.IsValid() {
		return sc.TraceID().String()
	}
	return ""
}
