package doctor

import (
	"testing"

	"github.com/algotrade/notifier/internal/cli/base"
)

func TestEnvironmentSecretsAreRedacted(t *testing.T) {
	t.Setenv("SOME_TOKEN", "pl4nted-value")
	t.Setenv("TOKEN_ENABLED", "true")
	r := base.NewRedactor(nil)
	r.Add(secretsOfEnvironment()...)
	for in, want := range map[string]string{
		"it is true": "it is true",
		"a pl4nted-value, quoted \"pl4nted-value\"": "a [redacted], quoted \"[redacted]\"",
		"https://ann:secret@host:1/path":            "https://[redacted]@host:1/path",
		"https://hooks.slack.com/services/T/B/x?y":  "https://hooks.slack.com/services/[redacted]",
		"Authorization: Bearer abc.def-ghi":         "Authorization: Bearer [redacted]",
		"/hook?a=1&token=abc&b=2":                   "/hook?a=1&token=[redacted]&b=2",
		"xoxp-1-2-3456":                             "[redacted]",
		"whsec_YWJj":                                "[redacted]",
		"mail to desk@example.com":                  "mail to desk@example.com",
		"bearer of bad news":                        "bearer of bad news",
		"notifier_alerts_total{rule=\"a\"} 1":       "notifier_alerts_total{rule=\"a\"} 1",
	} {
		if got := r.Redact(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
