// Package tracing follows an alert from the event's producer to the channel's
// answer, as spans of OpenTelemetry. It is the only package that knows of
// OpenTelemetry; the others ask it for a Span at the few places where
// something happens to an alert or a dead letter, and hand a trace on as text,
// as W3C Trace Context (https://www.w3.org/TR/trace-context/) writes it.
//
// A record that raises nothing has no span and costs nothing: nothing here is
// called for it. Nothing here fails or waits either: a header that is no
// traceparent is as good as none, and spans that nobody takes are dropped and
// counted. Start reading at Tracer; spans.go has the spans, export.go sends them.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Config configures where spans go.
type Config struct {
	// Endpoint takes OTLP over HTTP, as protobuf: http://collector:4318. A URL
	// without a path gets the standard one, /v1/traces. Empty: no spans.
	Endpoint string `yaml:"endpoint"`
	// Ratio of the traces that begin here is recorded, 0 to 1. Where a producer
	// has begun the trace, its decision holds.
	Ratio float64 `yaml:"ratio"`
}

// Defaults returns what holds where nothing is said.
func Defaults() Config { return Config{Ratio: 1} }

// standardPath is where collectors take traces (OTLP 1.x, "OTLP/HTTP Request").
const standardPath = "/v1/traces"

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	if err := c.SetEndpoint(c.Endpoint); err != nil {
		at.Field("endpoint").Fault("%v", err)
	}
	if !(c.Ratio >= 0 && c.Ratio <= 1) {
		at.Field("ratio").Fault("%v is not between 0 and 1", c.Ratio)
	}
}

// SetEndpoint sets Endpoint, with the standard path where text has none. Its
// errors do not repeat text, which may hold a password.
func (c *Config) SetEndpoint(text string) error {
	if text == "" {
		c.Endpoint = ""
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("is not the URL of a collector, such as http://127.0.0.1:4318")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("holds a user or a query: credentials go into the environment, as OTEL_EXPORTER_OTLP_HEADERS")
	case strings.Trim(u.Path, "/") == "":
		u.Path = standardPath
	}
	c.Endpoint = u.String()
	return nil
}

// SetBase sets Endpoint to what OTEL_EXPORTER_OTLP_ENDPOINT means: the place
// below which all signals are taken.
func (c *Config) SetBase(text string) error {
	return c.SetEndpoint(strings.TrimRight(text, "/") + standardPath)
}

// Tracer makes spans. A nil one makes none, and hands on the trace that a
// producer has begun.
type Tracer struct {
	tracer   trace.Tracer
	provider *sdk.TracerProvider
	exporter *exporter
}

// Params is what a Tracer needs.
type Params struct {
	Config   Config
	Version  string
	Logger   *slog.Logger
	Registry prometheus.Registerer
}

// New returns a tracer; nil where no endpoint is configured, or tracing is
// disabled or cannot be set up, which is logged.
func New(p Params) *Tracer {
	counts := newCounts(p.Registry)
	if p.Config.Endpoint == "" {
		return nil
	}
	log := p.Logger.With("component", "tracing")
	if name := disabledBy(); name != "" {
		log.Info("tracing is disabled by the environment", "name", name)
		return nil
	}
	logInternals(log)
	if u, err := url.Parse(p.Config.Endpoint); err == nil && u.Scheme == "http" && !egress.IsLocal(u.Hostname()) && headersSet() {
		log.Warn("headers for the collector are sent unencrypted: its URL begins with http://", "endpoint", p.Config.Endpoint)
	}
	for _, name := range ignored() {
		log.Warn("an environment variable of OpenTelemetry has no effect", "name", name)
	}
	e, err := newExporter(p.Config.Endpoint, counts, log)
	if err != nil {
		log.Error("tracing is disabled: the exporter cannot be set up", "kind", fmt.Sprintf("%T", err))
		return nil
	}
	t := &Tracer{exporter: e}
	limits := sdk.NewSpanLimits()
	limits.AttributeValueLengthLimit = 256 // producers choose their event's id
	t.provider = sdk.NewTracerProvider(
		sdk.WithResource(describe(p.Version, log)), sdk.WithRawSpanLimits(limits),
		sdk.WithSampler(sdk.ParentBased(linked{sdk.TraceIDRatioBased(p.Config.Ratio)})), sdk.WithSpanProcessor(e.processor()),
	)
	t.tracer = t.provider.Tracer("github.com/algotrade/notifier", trace.WithInstrumentationVersion(p.Version))
	log.Info("tracing", "endpoint", p.Config.Endpoint, "ratio", p.Config.Ratio)
	return t
}

// describe is what every span says of its process; OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES say more or otherwise.
func describe(version string, log *slog.Logger) *resource.Resource {
	r, err := resource.New(context.Background(), resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "notifier"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		log.Warn("the environment does not describe this process as it should", "name", "OTEL_RESOURCE_ATTRIBUTES")
	}
	return r
}

// linked records what is linked to a trace that is recorded, such as the
// replay of a dead letter; the rest is decided by Sampler.
type linked struct{ sdk.Sampler }

// ShouldSample implements sdk.Sampler.
func (l linked) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	for _, link := range p.Links {
		if link.SpanContext.IsSampled() {
			return sdk.SamplingResult{Decision: sdk.RecordAndSample}
		}
	}
	return l.Sampler.ShouldSample(p)
}

// CloseWithin is how long a stop waits for spans to be taken.
const CloseWithin = 3 * time.Second

// Close sends what waits, within CloseWithin, and gives up the rest.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	late := time.AfterFunc(CloseWithin, t.exporter.giveUp) // ends the request under way, and all that would follow
	defer late.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), CloseWithin+time.Second)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // what it could not send is counted and said
	t.exporter.giveUp()
}

// start begins a span below parent; an invalid one begins a trace. Off, the
// span is none and stands for its parent.
func (t *Tracer) start(parent trace.SpanContext, name string, options ...trace.SpanStartOption) *Span {
	tracer := trace.Tracer(noop.Tracer{})
	if t != nil {
		tracer = t.tracer
	}
	_, span := tracer.Start(trace.ContextWithSpanContext(context.Background(), parent), name, options...)
	return &Span{span: span, tracer: tracer}
}
