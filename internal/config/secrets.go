package config

import "github.com/algotrade/notifier/internal/secret"

// Redactor returns what takes the configuration's secrets out of texts.
func (l *Loaded) Redactor() *secret.Redactor {
	values := []any{l.Kafka, l.HTTP, l.Tracing}
	for _, name := range l.Channels.Names() {
		if c := l.Channels.Get(name); c.Kind != "" {
			values = append(values, c.Settings())
		}
	}
	return secret.NewRedactor(values...)
}
