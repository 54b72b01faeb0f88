package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
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
	// maxQueued bounds the spans that are queued or being sent, of some hundred
	// bytes each.
	maxQueued = 4096
	// batch is how many go into one request, sendEvery how long a span waits
	// for others.
	batch     = 512
	sendEvery = 2 * time.Second
	// tryFor is how long one batch is tried, a request for at most tryOnce.
	tryFor, tryOnce = 30 * time.Second, 10 * time.Second
	// maxReply is how much of a reply is read, headers and body each, in bytes.
	maxReply = 64 << 10
)

// counts are the numbers of spans that were exported and dropped.
type counts struct{ exported, dropped prometheus.Counter }

func newCounts(reg prometheus.Registerer) counts {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "notifier_spans_total", Help: "Spans of tracing, by whether the collector took them.",
	}, []string{"outcome"})
	if reg != nil {
		reg.MustRegister(v)
	}
	return counts{v.WithLabelValues("exported"), v.WithLabelValues("dropped")}
}

// exporter wraps OpenTelemetry's exporter: it counts what became of spans, and
// logs the status or the kind of an error instead of its text, which holds the
// collector's reply.
type exporter struct {
	otlp     sdk.SpanExporter
	endpoint string
	wire     *wire
	counts   counts
	log      *slog.Logger
	queued   atomic.Int64

	ctx    context.Context // ends when nothing is tried any longer
	giveUp context.CancelFunc
}

// newExporter returns an exporter to a collector. Headers and compression come
// from the environment, as otlptracehttp reads it.
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

// processor takes spans that have ended; it never blocks.
func (e *exporter) processor() sdk.SpanProcessor {
	return bounded{e, sdk.NewBatchSpanProcessor(e, sdk.WithMaxQueueSize(maxQueued), sdk.WithMaxExportBatchSize(batch),
		sdk.WithBatchTimeout(sendEvery), sdk.WithExportTimeout(tryFor))}
}

// bounded counts what the batch processor would drop without a count.
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

// ExportSpans implements sdk.SpanExporter. It returns no error: what could not
// be sent is counted and logged here.
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

// wire is the transport to the collector. It keeps why the last request failed
// and lets failed connections be tried again, which otlptracehttp does with few.
type wire struct {
	next   http.RoundTripper
	failed atomic.Pointer[string] // nil: it did not fail
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

// kindOf is a transport's error without what the collector sent.
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

// transport connects as net/http's own does, also through a proxy that the
// environment names, and never to a metadata service. Through a proxy the guard
// sees the proxy's address alone, so an address in the URL is checked besides.
func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxResponseHeaderBytes, t.DisableCompression = maxReply, true
	t.DialContext = (&net.Dialer{Timeout: tryOnce, KeepAlive: 30 * time.Second, ControlContext: egress.Guard}).DialContext
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		if addr, err := netip.ParseAddr(r.URL.Hostname()); err == nil && egress.Blocked(addr) {
			return nil, egress.ErrBlocked
		}
		return http.ProxyFromEnvironment(r)
	}
	return t
}
