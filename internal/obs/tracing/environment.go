package tracing

import (
	"log/slog"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// headers are what OTEL_EXPORTER_OTLP_TRACES_HEADERS, or else
// OTEL_EXPORTER_OTLP_HEADERS, adds to every request: name=value pairs between
// commas, percent-encoded. They are secrets: nothing shows them.
func headers(getenv func(string) string, log *slog.Logger) http.Header {
	h := make(http.Header)
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"} {
		list := getenv(name)
		if list == "" {
			continue
		}
		for pair := range strings.SplitSeq(list, ",") {
			key, value, ok := strings.Cut(pair, "=")
			key = strings.TrimSpace(key)
			value, err := url.PathUnescape(strings.TrimSpace(value))
			if !ok || err != nil || key == "" || strings.ContainsAny(key, " :\r\n\x00") || strings.ContainsAny(value, "\r\n\x00") {
				log.Warn("the environment holds a header that is none, it is left out", "name", name)
				continue
			}
			h[textproto.CanonicalMIMEHeaderKey(key)] = []string{value}
		}
		break
	}
	return h
}

// switchedOff names the variable that asks for no spans at all; empty: none does.
func switchedOff(getenv func(string) string) string {
	switch {
	case strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true"):
		return "OTEL_SDK_DISABLED"
	case getenv("OTEL_TRACES_EXPORTER") == "none":
		return "OTEL_TRACES_EXPORTER"
	}
	return ""
}

// ignored names the variables of OpenTelemetry that are set and would have
// another tracer do something else.
func ignored(getenv func(string) string) []string {
	var names []string
	for _, name := range []string{
		"OTEL_TRACES_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_PROPAGATORS",
		"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
		"OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
		"OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
		"OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
		"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
		"OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
	} {
		switch getenv(name) {
		case "", "otlp", "http/protobuf", "tracecontext", "tracecontext,baggage", "none":
			continue // that is what is done anyway; "none" is a compression
		}
		names = append(names, name)
	}
	return names
}
