package base

import (
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/safefile"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// NewRedactor returns a Redactor of a configuration's secrets (nil: of well-known
// kinds only), of passwords in URLs in its files, and of the OpenTelemetry headers
// in the environment.
func NewRedactor(l *config.Loaded) *secret.Redactor {
	if l == nil {
		return secret.NewRedactor()
	}
	r := l.Redactor()
	for _, name := range []string{l.File, l.RulesFile()} {
		file, _ := safefile.Read(name, yamldoc.MaxBytes)
		for _, m := range userInfo.FindAllSubmatch(file, -1) {
			_, password, _ := strings.Cut(string(m[1]), ":")
			r.Add(string(m[1]), password)
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(os.Getenv(name), ",") { // name=value, with escapes as in URLs
			if _, value, ok := strings.Cut(pair, "="); ok {
				if plain, err := url.PathUnescape(value); err == nil {
					value = plain
				}
				r.Add(strings.TrimSpace(value))
			}
		}
	}
	return r
}

var userInfo = regexp.MustCompile(`[a-z][a-z0-9+.-]*://([^\s/"'@]+)@`)
