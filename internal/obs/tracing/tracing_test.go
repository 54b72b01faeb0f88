package tracing_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/obs/tracing/tracingtest"
)

const (
	sampled   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampled = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00"
)

func header(pairs ...string) []kgo.RecordHeader {
	var list []kgo.RecordHeader
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, kgo.RecordHeader{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	return list
}

func TestTheLastValidTraceparentCounts(t *testing.T) {
	for name, tc := range map[string]struct {
		headers []kgo.RecordHeader
		want    string
	}{
		"none":                        {nil, ""},
		"one":                         {header("traceparent", sampled), sampled},
		"not sampled":                 {header("traceparent", unsampled), unsampled},
		"in other letters":            {header("Traceparent", sampled), sampled},
		"of two the last":             {header("traceparent", unsampled, "traceparent", sampled), sampled},
		"of two the last valid":       {header("traceparent", sampled, "traceparent", "garbage", "b3", "x"), sampled},
		"null":                        {[]kgo.RecordHeader{{Key: "traceparent"}}, ""},
		"a version of the future":     {header("traceparent", "01"+sampled[2:]+"-more"), sampled},
		"the version that is none":    {header("traceparent", "ff"+sampled[2:]), ""},
		"version 0 with more":         {header("traceparent", sampled+"-more"), ""},
		"upper case":                  {header("traceparent", strings.ToUpper(sampled)), ""},
		"no trace":                    {header("traceparent", "00-"+strings.Repeat("0", 32)+"-b7ad6b7169203331-01"), ""},
		"no span":                     {header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-"+strings.Repeat("0", 16)+"-01"), ""},
		"short":                       {header("traceparent", sampled[:54]), ""},
		"spaces":                      {header("traceparent", " "+sampled), ""},
		"a megabyte":                  {header("traceparent", "01"+sampled[2:]+"-"+strings.Repeat("x", 1<<20)), ""},
		"a tracestate that is broken": {header("tracestate", "=,=", "traceparent", sampled), sampled},
	} {
		if got := tracing.Of(tc.headers); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

func FuzzATraceparentIsNeverAnError(f *testing.F) {
	f.Add([]byte(sampled), []byte("a=b"))
	f.Add([]byte("\x00\xff"), []byte("=,"))
	f.Fuzz(func(t *testing.T, parent, state []byte) {
		got := tracing.Of([]kgo.RecordHeader{{Key: "traceparent", Value: parent}, {Key: "tracestate", Value: state}})
		if got != "" && tracing.Of(header("traceparent", got)) != got {
			t.Errorf("%q is read as %q, which is not read as itself", parent, got)
		}
	})
}

// TestNilTracerForwardsTrace: nothing is made, nothing is lost.
func TestNilTracerForwardsTrace(t *testing.T) {
	var none *tracing.Tracer
	source := header("traceparent", sampled, "tracestate", "vendor=x")
	process := none.Process(tracing.Record{Topic: "t"}, source)
	send := none.Send("o", process.Traceparent(), source)
	deliver := none.Deliver(tracing.Record{Topic: "o"}, send.Traceparent(), source, time.Now(), nil)
	ctx, attempt := deliver.Attempt(t.Context(), "desk", 1)
	h := make(http.Header)
	tracing.Inject(ctx, h)
	if h.Get("traceparent") != sampled || h.Get("tracestate") != "vendor=x" {
		t.Errorf("the request carries %v", h)
	}
	for _, s := range []*tracing.Span{process, send, deliver, attempt, nil} {
		s.Set(slog.String("a", "b"))
		s.Fail("x")
		s.Wrote(1, 2)
		s.End()
	}
	if got := none.Process(tracing.Record{}, nil).Traceparent(); got != "" {
		t.Errorf("a trace was begun: %s", got)
	}
	none.Close()
	if got := fmt.Sprint(tracing.Log(sampled)); got != "[trace_id 0af7651916cd43dd8448eb211c80319c span_id b7ad6b7169203331]" {
		t.Errorf("the log has %s", got)
	}
	if got := tracing.Log("garbage"); got != nil {
		t.Errorf("the log has %v", got)
	}
}

// TestUntracedDeliveryAllocatesNothing: without a tracer and without a producer's trace.
func TestUntracedDeliveryAllocatesNothing(t *testing.T) {
	var none *tracing.Tracer
	source, h, ctx := header("type", "trade"), make(http.Header), t.Context()
	r := tracing.Record{Topic: "t", Group: "g", Size: 350}
	allocs := testing.AllocsPerRun(100, func() {
		process := none.Process(r, source)
		process.Set(slog.String("event", "e1"), slog.Int("alerts", 1))
		send := none.Send("o", process.Traceparent(), source)
		deliver := none.Deliver(r, send.Traceparent(), source, time.Time{}, nil)
		ctx, attempt := deliver.Attempt(ctx, "desk", 1)
		tracing.Inject(ctx, h)
		tracing.Answered(ctx, http.StatusOK)
		for _, s := range []*tracing.Span{attempt, deliver, send, process} {
			s.End()
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// on returns a tracer that exports to c, what it says, and its metric.
func on(t *testing.T, c *tracingtest.Collector, env map[string]string, ratio float64) (*tracing.Tracer, *bytes.Buffer, func(outcome string) float64) {
	t.Helper()
	for name, value := range env {
		t.Setenv(name, value)
	}
	cfg := tracing.Config{Ratio: ratio}
	if err := cfg.SetEndpoint(c.URL); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	logs := new(bytes.Buffer)
	tr := tracing.New(tracing.Params{
		Config: cfg, Version: "1.2.3",
		Logger: slog.New(slog.NewTextHandler(logs, nil)), Registry: reg,
	})
	t.Cleanup(tr.Close)
	return tr, logs, func(outcome string) float64 {
		families, _ := reg.Gather()
		for _, m := range families[0].GetMetric() {
			if m.GetLabel()[0].GetValue() == outcome {
				return m.GetCounter().GetValue()
			}
		}
		t.Fatalf("no metric says %s", outcome)
		return 0
	}
}

func TestSpanIsExportedUnchanged(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "desk-notifier") // read by the SDK
	c := tracingtest.Start(t)
	tr, logs, count := on(t, c, map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20t0ken, x-a=b"}, 1)
	since := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	s := tr.Deliver(tracing.Record{Topic: "o", Partition: 3, Offset: 7, Group: "g", Size: 11}, sampled, header("traceparent", sampled, "tracestate", "vendor=x"), since, []string{unsampled, "garbage"})
	s.Set(slog.String("rule", "r"), slog.Int("n", 4), slog.String("empty", ""), slog.String("long", strings.Repeat("x", 1000)), slog.String("bytes", "\xff"))
	s.Fail("unavailable")
	s.End()
	s.End()
	tr.Close()
	got := tracingtest.Find(t, c.Spans(), "process o")
	if got.Trace != sampled[3:35] || got.Parent != sampled[36:52] || !got.Remote || got.Kind != "consumer" || got.Error != "unavailable" || !got.Start.Equal(since) || got.TraceState != "vendor=x" {
		t.Errorf("%+v", got)
	}
	if fmt.Sprint(got.Links) != fmt.Sprintf("[%s/%s]", unsampled[3:35], unsampled[36:52]) {
		t.Errorf("links %v", got.Links)
	}
	for key, want := range map[string]string{
		"messaging.system": "kafka", "messaging.operation.name": "process", "messaging.operation.type": "process", "messaging.destination.name": "o",
		"messaging.destination.partition.id": "3", "messaging.kafka.offset": "7", "messaging.consumer.group.name": "g", "messaging.message.body.size": "11",
		"error.type": "unavailable", "notifier.rule": "r", "notifier.n": "4", "notifier.long": strings.Repeat("x", 256), "notifier.bytes": "�",
	} {
		if got.Attributes[key] != want {
			t.Errorf("%s is %q, want %q", key, got.Attributes[key], want)
		}
	}
	if _, there := got.Attributes["notifier.empty"]; there || got.Resource["service.name"] != "desk-notifier" || got.Resource["service.version"] != "1.2.3" || got.Resource["host.name"] == "" {
		t.Errorf("attributes %v, resource %v", got.Attributes, got.Resource)
	}
	if h := c.Headers()[0]; h.Get("Authorization") != "Bearer t0ken" || h.Get("X-A") != "b" {
		t.Errorf("headers %v", h)
	}
	if count("exported") != 1 || count("dropped") != 0 || strings.Contains(logs.String(), "t0ken") {
		t.Errorf("exported %v, dropped %v, logged %s", count("exported"), count("dropped"), logs)
	}
}

func TestSamplingFollowsParentElseRatio(t *testing.T) {
	c := tracingtest.Start(t)
	never, _, _ := on(t, c, nil, 0)
	never.Process(tracing.Record{Topic: "followed"}, header("traceparent", sampled)).End()
	never.Replay(tracing.Record{Topic: "linked"}, sampled).End()
	never.Process(tracing.Record{Topic: "begun"}, nil).End()
	never.Replay(tracing.Record{Topic: "linked to none"}, "").End()
	never.Close()
	always, _, _ := on(t, c, nil, 1)
	left := always.Process(tracing.Record{Topic: "left out"}, header("traceparent", unsampled))
	left.End()
	always.Process(tracing.Record{Topic: "new"}, nil).End()
	always.Close()
	if got := fmt.Sprint(tracingtest.Names(c.Spans())); got != "[process followed process linked process new]" {
		t.Errorf("recorded are %s", got)
	}
	// What is not recorded hands on a trace that is not recorded either.
	if text := left.Traceparent(); !strings.HasPrefix(text, unsampled[:36]) || !strings.HasSuffix(text, "-00") {
		t.Errorf("handed on is %s", text)
	}
}

// TestMissingCollectorBlocksNothing: spans beyond the bound are dropped and
// counted, a stop gives up within its time, and no header is said.
func TestMissingCollectorBlocksNothing(t *testing.T) {
	c := tracingtest.Start(t)
	c.Refuse(http.StatusServiceUnavailable)
	tr, logs, count := on(t, c, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=s3cret"}, 1)
	const n = 6000 // more than may wait
	began := time.Now()
	for range n {
		tr.Process(tracing.Record{Topic: "t"}, nil).End()
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("%d spans took %s", n, took)
	}
	began = time.Now()
	tr.Close()
	if took := time.Since(began); took > tracing.CloseWithin+2*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if d := count("dropped"); d < n-4096 || count("exported") != 0 {
		t.Errorf("dropped %v, exported %v", d, count("exported"))
	}
	if text := logs.String(); !strings.Contains(text, "spans are dropped") || strings.Contains(text, "s3cret") {
		t.Errorf("logged: %s", text)
	}
}

func TestRecoveredCollectorReceivesQueuedSpans(t *testing.T) {
	c := tracingtest.Start(t)
	c.Refuse(http.StatusTooManyRequests)
	tr, _, count := on(t, c, nil, 1)
	tr.Process(tracing.Record{Topic: "t"}, nil).End()
	deadline := time.After(20 * time.Second)
	for c.Posts() == 0 {
		select {
		case <-deadline:
			t.Fatal("nothing was sent")
		case <-time.After(10 * time.Millisecond):
		}
	}
	c.Refuse(0)
	c.Wait(t, 20*time.Second, func(list []tracingtest.Span) bool { return len(list) == 1 })
	tr.Close()
	if count("exported") != 1 || count("dropped") != 0 {
		t.Errorf("exported %v, dropped %v", count("exported"), count("dropped"))
	}
}

func TestEnvironmentDisablesTracing(t *testing.T) {
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"} {
		logs := new(bytes.Buffer)
		t.Setenv(name, map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none"}[name])
		tr := tracing.New(tracing.Params{
			Config: tracing.Config{Endpoint: "http://127.0.0.1:1/v1/traces", Ratio: 1}, Logger: slog.New(slog.NewTextHandler(logs, nil)),
		})
		t.Setenv(name, "")
		if tr != nil || !strings.Contains(logs.String(), "name="+name) {
			t.Errorf("%s: %v, logged %s", name, tr, logs)
		}
	}
	_, logs, _ := on(t, tracingtest.Start(t), map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRACES_SAMPLER": "always_off", "OTEL_EXPORTER_OTLP_HEADERS": "s3cret",
		"OTEL_TRACES_EXPORTER": "otlp", "OTEL_PROPAGATORS": "tracecontext,baggage",
	}, 1)
	for _, want := range []string{"name=OTEL_EXPORTER_OTLP_PROTOCOL", "name=OTEL_TRACES_SAMPLER", `kind="parse headers"`} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("it does not say %s:\n%s", want, logs)
		}
	}
	if n := strings.Count(logs.String(), "level=WARN"); n != 3 || strings.Contains(logs.String(), "s3cret") {
		t.Errorf("%d warnings:\n%s", n, logs)
	}
}

func TestEndpointValidation(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "http://c:4318": "http://c:4318/v1/traces", "http://c:4318/": "http://c:4318/v1/traces", "https://c/otlp/v1/traces": "https://c/otlp/v1/traces",
	} {
		var c tracing.Config
		if err := c.SetEndpoint(text); err != nil || c.Endpoint != want {
			t.Errorf("%q: %q, %v", text, c.Endpoint, err)
		}
	}
	for _, text := range []string{"collector:4317", "localhost", "grpc://c:4317", "http://", "http://user:s3cret@c", "http://c/?key=s3cret", "http://s3cret\x00"} {
		var c tracing.Config
		if err := c.SetEndpoint(text); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", text, err)
		}
	}
	var c tracing.Config
	if err := c.SetBase("http://c:4318/otlp/"); err != nil || c.Endpoint != "http://c:4318/otlp/v1/traces" {
		t.Errorf("%q, %v", c.Endpoint, err)
	}
}

// TestMetricExistsWithoutTracing: a dashboard finds it at zero.
func TestMetricExistsWithoutTracing(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	if tr := tracing.New(tracing.Params{Registry: reg}); tr != nil {
		t.Error("it is on without an endpoint")
	}
	if n, err := testutil.GatherAndCount(reg, "notifier_spans_total"); n != 2 || err != nil {
		t.Errorf("%d samples, %v", n, err)
	}
}

// TestCollectorIsNoMetadataService: neither by itself nor by a proxy that the
// environment names is one connected to, and it is not tried again.
func TestCollectorIsNoMetadataService(t *testing.T) {
	for _, endpoint := range []string{"http://169.254.169.254/v1/traces", "http://[::ffff:169.254.169.254]/v1/traces"} {
		logs := new(bytes.Buffer)
		t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret")
		tr := tracing.New(tracing.Params{Config: tracing.Config{Endpoint: endpoint, Ratio: 1}, Logger: slog.New(slog.NewTextHandler(logs, nil))})
		tr.Process(tracing.Record{Topic: "t"}, nil).End()
		tr.Close()
		text := logs.String()
		if !strings.Contains(text, "metadata service, which is never connected to") || !strings.Contains(text, "sent unencrypted") || strings.Contains(text, "s3cret") {
			t.Errorf("%s: logged: %s", endpoint, text)
		}
	}
}
