package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/algotrade/notifier/internal/egress"
)

const (
	maxQueued = 4096             // spans queued or being sent
	batch     = 512              // spans of a request
	sendEvery = 2 * time.Second  // interval of requests
	tryFor    = 30 * time.Second // bounds the attempts of a batch
	tryOnce   = 10 * time.Second // bounds a request
	maxReply  = 64 << 10         // bytes of a response's headers and body, each
)

// counts are the numbers of exported and dropped spans.
type counts struct{ exported, dropped prometheus.Counter }

func newCounts(reg prometheus.Registerer) counts {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "notifier_spans_total", Help: "Spans by outcome: exported, dropped.",
	}, []string{"outcome"})
	if reg != nil {
		reg.MustRegister(v)
	}
	return counts{v.WithLabelValues("exported"), v.WithLabelValues("dropped")}
}

// exporter wraps OpenTelemetry's exporter: it counts spans, and logs errors without their text,
// which contains the response.
type exporter struct {
	otlp     sdk.SpanExporter
	endpoint string
	wire     *wire
	counts   counts
	log      *slog.Logger
	queued   atomic.Int64

	ctx    context.Context // ends when retries end
	giveUp context.CancelFunc
}

// newExporter returns an exporter to a collector. otlptracehttp reads headers and compression from
// the environment.
func newExporter(endpoint string, c counts, log *slog.Logger) (*exporter, error) {
	e := &exporter{endpoint: endpoint, wire: &wire{next: transport()}, counts: c, log: log}
	var err error
	e.otlp, err = otlptracehttp.New(context.Background(),
		otlptracehttp.WithEndpointURL(endpoint),
		otlptracehttp.WithHTTPClient(&http.Client{
			Timeout: tryOnce, Transport: e.wire,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
		otlptracehttp.WithMaxResponseSize(maxReply),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 8 * time.Second, MaxElapsedTime: tryFor}))
	if err != nil {
		return nil, err
	}
	e.ctx, e.giveUp = context.WithCancel(context.Background())
	return e, nil
}

// processor queues ended spans without blocking.
func (e *exporter) processor() sdk.SpanProcessor {
	return bounded{e, sdk.NewBatchSpanProcessor(e, sdk.WithMaxQueueSize(maxQueued), sdk.WithMaxExportBatchSize(batch),
		sdk.WithBatchTimeout(sendEvery), sdk.WithExportTimeout(tryFor))}
}

// bounded counts the spans that the batch processor would drop.
type bounded struct {
	e *exporter
	sdk.SpanProcessor
}

// OnEnd implements sdk.SpanProcessor.
func (b bounded) OnEnd(s sdk.ReadOnlySpan) {
	if b.e.queued.Add(1) > maxQueued {
		b.e.queued.Add(-1)
		b.e.drop(1, "the queue is full")
		return
	}
	b.SpanProcessor.OnEnd(s)
}

// ExportSpans implements sdk.SpanExporter. It counts and logs errors instead of returning them.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	defer e.queued.Add(-int64(len(spans)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	e.wire.failed.Store(nil)
	err := e.otlp.ExportSpans(ctx, spans)
	failed := e.wire.failed.Load()
	switch {
	case err == nil:
		e.counts.exported.Add(float64(len(spans)))
	case e.ctx.Err() != nil:
		e.drop(len(spans), "the process stops")
	case failed != nil:
		e.drop(len(spans), *failed)
	default:
		e.drop(len(spans), "spans cannot be encoded, or the reply is invalid or rejects spans")
	}
	return nil
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(ctx context.Context) error { return e.otlp.Shutdown(ctx) }

func (e *exporter) drop(n int, reason string) {
	e.counts.dropped.Add(float64(n))
	e.log.Warn("export of spans failed, spans are dropped", "endpoint", e.endpoint, "spans", n, "reason", reason)
}

// wire is the transport to the collector. It stores why the last request failed, and makes
// connection errors retriable for otlptracehttp.
type wire struct {
	next   http.RoundTripper
	failed atomic.Pointer[string] // nil: none
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	failed := ""
	switch {
	case err != nil:
		failed, err = kindOf(err), retriable{err}
	case resp.StatusCode > 299:
		failed = fmt.Sprintf("the collector replies %d", resp.StatusCode)
	}
	if failed == "" {
		w.failed.Store(nil)
	} else {
		w.failed.Store(&failed)
	}
	return resp, err
}

// retriable is an error of the connection.
type retriable struct{ error }

// Temporary reports whether another request may succeed.
func (r retriable) Temporary() bool { return !errors.Is(r.error, egress.ErrBlocked) }

// Unwrap returns the error of the transport.
func (r retriable) Unwrap() error { return r.error }

// kindOf returns the kind of a transport error, without the response.
func kindOf(err error) string {
	var op *net.OpError
	var network net.Error
	switch {
	case errors.Is(err, egress.ErrBlocked):
		return egress.ErrBlocked.Error()
	case errors.As(err, &network) && network.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &op):
		return op.Err.Error()
	case strings.Contains(err.Error(), "server response headers exceeded"):
		return "the reply's headers are too large"
	}
	return "connection failed"
}

// transport is net/http's default, without connections to metadata services. Through a proxy the
// guard sees only the proxy's address, and egress.NewProxy checks the name in the URL.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxResponseHeaderBytes, t.DisableCompression = maxReply, true
	t.DialContext = (&net.Dialer{Timeout: tryOnce, KeepAlive: 30 * time.Second, ControlContext: egress.Guard}).DialContext
	if proxy, err := egress.NewProxy(""); err == nil {
		t.Proxy = func(r *http.Request) (*url.URL, error) { return proxy(r.URL) }
	}
	return t
}
