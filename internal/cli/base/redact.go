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

// NewRedactor returns what takes secrets out of texts: those of a configuration,
// if there is one, users with passwords in URLs of the files that it is made of,
// and what the environment gives to tracing.
func NewRedactor(l *config.Loaded) *secret.Redactor {
	if l == nil {
		return secret.NewRedactor()
	}
	r := l.Redactor()
	var more []string
	for _, name := range []string{l.File, l.RulesFile()} {
		file, _ := safefile.Read(name, yamldoc.MaxBytes) // what cannot be read goes nowhere
		for _, m := range userInfo.FindAllSubmatch(file, -1) {
			_, password, _ := strings.Cut(string(m[1]), ":")
			more = append(more, string(m[1]), password)
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(os.Getenv(name), ",") { // OpenTelemetry's: name=value, values escaped as in URLs
			if _, value, ok := strings.Cut(pair, "="); ok {
				if plain, err := url.PathUnescape(value); err == nil {
					value = plain
				}
				more = append(more, strings.TrimSpace(value))
			}
		}
	}
	r.Add(more...)
	return r
}

var userInfo = regexp.MustCompile(`[a-z][a-z0-9+.-]*://([^\s/"'@]+)@`)
