package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/algotrade/notifier/internal/egress"
)

const (
	// maxQueued is how many spans may wait to be sent: of some hundred bytes
	// each, so that a collector that is away costs a megabyte or two.
	maxQueued = 4096
	// batch is how many go into one request, sendEvery how long a span waits
	// for others.
	batch     = 512
	sendEvery = 2 * time.Second
	// tryFor is how long one batch is tried, a request for at most tryOnce.
	tryFor, tryOnce = 30 * time.Second, 10 * time.Second
	// maxReply is how much of an answer is read, headers and body each, in bytes.
	maxReply = 64 << 10
)

// counts are what became of spans.
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

// exporter posts spans to a collector as OTLP over HTTP. It takes at most
// maxQueued, and drops and counts what is more.
//
// It is ours because the one of OpenTelemetry links gRPC into the program,
// which nothing here speaks: 2.9 MB and nine modules for one POST.
type exporter struct {
	url     string
	headers http.Header
	client  *http.Client
	counts  counts
	log     *slog.Logger

	queued  atomic.Int64
	dropped atomic.Int64
	failing atomic.Bool

	ctx    context.Context // ends when nothing is tried any more
	giveUp context.CancelFunc
}

func newExporter(endpoint string, headers http.Header, c counts, log *slog.Logger) *exporter {
	e := &exporter{url: endpoint, headers: headers, counts: c, log: log}
	e.headers.Set("Content-Type", "application/x-protobuf")
	e.headers.Set("User-Agent", "notifier")
	e.client = &http.Client{
		Timeout:       tryOnce,
		Transport:     transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	e.ctx, e.giveUp = context.WithCancel(context.Background())
	return e
}

// transport connects as net/http's own does, also by a proxy that the
// environment names, and never to a metadata service, which it would hand our
// headers to. By a proxy the guard sees the proxy's address alone, so an address
// in the URL itself is looked at besides.
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

// processor takes spans that have ended; it never blocks.
func (e *exporter) processor() sdk.SpanProcessor {
	return bounded{e, sdk.NewBatchSpanProcessor(e, sdk.WithMaxQueueSize(maxQueued), sdk.WithMaxExportBatchSize(batch),
		sdk.WithBatchTimeout(sendEvery), sdk.WithExportTimeout(tryFor))}
}

// bounded counts what waits, since a batch processor does not tell what it
// drops.
type bounded struct {
	e *exporter
	sdk.SpanProcessor
}

// OnEnd implements sdk.SpanProcessor.
func (b bounded) OnEnd(s sdk.ReadOnlySpan) {
	if b.e.queued.Add(1) > maxQueued {
		b.e.queued.Add(-1)
		b.e.drop(1, errFull)
		return
	}
	b.SpanProcessor.OnEnd(s)
}

var (
	errFull    = errors.New("too many wait")
	errStopped = errors.New("the stop does not wait any longer")
)

// ExportSpans implements sdk.SpanExporter. It returns no error: what could not
// be sent is counted and said here.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	defer e.queued.Add(-int64(len(spans)))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	if e.ctx.Err() != nil {
		e.drop(len(spans), errStopped)
		return nil
	}
	body := encode(spans)
	for wait := time.Second; ; wait *= 2 {
		again, err := e.post(ctx, body)
		if err == nil {
			e.counts.exported.Add(float64(len(spans)))
			if e.failing.Swap(false) {
				e.log.Info("the collector takes spans again", "endpoint", e.url)
			}
			return nil
		}
		if e.ctx.Err() != nil {
			err = errStopped
		}
		if !again || !sleep(ctx, wait) {
			e.drop(len(spans), err)
			return nil
		}
	}
}

// Shutdown implements sdk.SpanExporter.
func (e *exporter) Shutdown(context.Context) error {
	e.client.CloseIdleConnections()
	return nil
}

func (e *exporter) drop(n int, err error) {
	e.failing.Store(true)
	e.counts.dropped.Add(float64(n))
	e.log.Warn("spans are dropped: the collector does not take them", "endpoint", e.url, "dropped", e.dropped.Add(int64(n)), "err", err)
}

// post makes one request; again says whether another may help (OTLP, "Failures").
// Its errors hold no word of the collector's answer, which may repeat a header.
func (e *exporter) post(ctx context.Context, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the endpoint is no URL")
	}
	req.Header = e.headers.Clone()
	resp, err := e.client.Do(req)
	if err != nil {
		return !errors.Is(err, egress.ErrBlocked), brief(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxReply)
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	return again, fmt.Errorf("it answers %d", resp.StatusCode)
}

// brief is an error of the connection without the URL.
func brief(err error) error {
	var whole *url.Error
	var op *net.OpError
	switch {
	case errors.As(err, &whole) && whole.Timeout():
		return errors.New("it does not answer in time")
	case errors.As(err, &op):
		return op.Err
	case whole != nil:
		return whole.Err
	}
	return err
}

// sleep waits for d and reports whether ctx was still alive then.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
