// Package tracing traces alerts from the event's producer to the channel's response with
// OpenTelemetry, which no other package imports. Traces are passed on as traceparent (W3C Trace
// Context, https://www.w3.org/TR/trace-context/).
//
// A record without alerts has no span. Nothing here fails or blocks: invalid headers are ignored,
// and spans that cannot be sent are dropped and counted. Start reading at Tracer; see spans.go and
// export.go.
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

// Config configures the export of spans.
type Config struct {
	// Endpoint is the URL of a collector (OTLP/HTTP, protobuf), such as http://collector:4318;
	// the default path is /v1/traces. Empty: no spans.
	Endpoint string `yaml:"endpoint"`
	// Ratio of recorded traces, 0 to 1. It does not apply to traces that a producer started.
	Ratio float64 `yaml:"ratio" range:"0..1"`
}

// Defaults returns the default configuration.
func Defaults() Config { return Config{Ratio: 1} }

// standardPath is the default path (OTLP 1.x, "OTLP/HTTP Request").
const standardPath = "/v1/traces"

// CheckYAML implements yamldoc.Checker.
func (c *Config) CheckYAML(at yamldoc.Cursor) {
	if err := c.SetEndpoint(c.Endpoint); err != nil {
		at.Field("endpoint").Fault("%v", err)
	}
}

// SetEndpoint sets Endpoint and adds the standard path if text has none. Its errors do not contain
// text, which may hold a password.
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

// SetBase sets Endpoint from OTEL_EXPORTER_OTLP_ENDPOINT, the base URL of all signals.
func (c *Config) SetBase(text string) error {
	return c.SetEndpoint(strings.TrimRight(text, "/") + standardPath)
}

// Tracer makes spans. A nil Tracer makes none and passes on the producer's trace.
type Tracer struct {
	tracer   trace.Tracer
	provider *sdk.TracerProvider
	exporter *exporter
}

// Params are the parameters of a Tracer.
type Params struct {
	Config   Config
	Version  string
	Logger   *slog.Logger
	Registry prometheus.Registerer
}

// New returns a tracer; nil without an endpoint, or if tracing is disabled or fails to start, which
// is logged.
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
	limits.AttributeValueLengthLimit = 256 // producers choose event ids
	t.provider = sdk.NewTracerProvider(
		sdk.WithResource(describe(p.Version, log)), sdk.WithRawSpanLimits(limits),
		sdk.WithSampler(sdk.ParentBased(linked{sdk.TraceIDRatioBased(p.Config.Ratio)})), sdk.WithSpanProcessor(e.processor()),
	)
	t.tracer = t.provider.Tracer("github.com/algotrade/notifier", trace.WithInstrumentationVersion(p.Version))
	log.Info("tracing", "endpoint", p.Config.Endpoint, "ratio", p.Config.Ratio)
	return t
}

// describe returns the resource of all spans; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
// override it.
func describe(version string, log *slog.Logger) *resource.Resource {
	r, err := resource.New(context.Background(), resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "notifier"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		log.Warn("invalid resource attributes in the environment", "name", "OTEL_RESOURCE_ATTRIBUTES")
	}
	return r
}

// linked samples spans with a link to a sampled trace, such as replays; others are up to Sampler.
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

// CloseWithin bounds Close.
const CloseWithin = 3 * time.Second

// Close sends the queued spans within CloseWithin and drops the rest.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	late := time.AfterFunc(CloseWithin, t.exporter.giveUp)
	defer late.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), CloseWithin+time.Second)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // unsent spans are counted and logged
	t.exporter.giveUp()
}

// start starts a span below parent, or a new trace if it is invalid.
func (t *Tracer) start(parent trace.SpanContext, name string, options ...trace.SpanStartOption) *Span {
	_, span := t.tracer.Start(trace.ContextWithSpanContext(context.Background(), parent), name, options...)
	return &Span{span: span, tracer: t.tracer}
}

// forward returns a span that is not recorded and passes on parent; nil if that is invalid, so
// that alerts without a trace cost nothing.
func forward(parent trace.SpanContext) *Span {
	if !parent.IsValid() {
		return nil
	}
	none := noop.Tracer{}
	_, span := none.Start(trace.ContextWithSpanContext(context.Background(), parent), "")
	return &Span{span: span, tracer: none}
}
