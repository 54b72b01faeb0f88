package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// headersSet reports whether the environment adds headers.
func headersSet() bool {
	return os.Getenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS")+os.Getenv("OTEL_EXPORTER_OTLP_HEADERS") != ""
}

// disabledBy returns the variable that disables tracing; empty: none.
func disabledBy() string {
	switch {
	case strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true"):
		return "OTEL_SDK_DISABLED"
	case os.Getenv("OTEL_TRACES_EXPORTER") == "none":
		return "OTEL_TRACES_EXPORTER"
	}
	return ""
}

// ignored returns the OpenTelemetry variables that are set and have no effect.
func ignored() []string {
	var names []string
	for _, name := range []string{
		"OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_PROPAGATORS",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
		"OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
		"OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
		"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
		"OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
	} {
		switch os.Getenv(name) {
		case "", "otlp", "http/protobuf", "http/json", "tracecontext", "tracecontext,baggage":
			continue // has an effect, or is the default
		}
		names = append(names, name)
	}
	return names
}

// logInternals logs only the kind of OpenTelemetry's errors: their texts contain headers and
// responses.
func logInternals(log *slog.Logger) {
	otel.SetLogger(logr.FromSlogHandler(messages{log}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.Warn("OpenTelemetry reports an error", "kind", fmt.Sprintf("%T", err))
	}))
}

// messages is a slog.Handler that logs the messages of errors as warnings.
type messages struct{ log *slog.Logger }

// Enabled implements slog.Handler.
func (messages) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// Handle implements slog.Handler.
func (m messages) Handle(_ context.Context, r slog.Record) error {
	m.log.Warn("OpenTelemetry reports an error", "kind", r.Message)
	return nil
}

// WithAttrs implements slog.Handler.
func (m messages) WithAttrs([]slog.Attr) slog.Handler { return m }

// WithGroup implements slog.Handler.
func (m messages) WithGroup(string) slog.Handler { return m }
