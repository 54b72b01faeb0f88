package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/algotrade/notifier/internal/config"
)

// TestEverySecretIsKnown, so that it can be taken out of what others are sent.
func TestEverySecretIsKnown(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "notifier.yaml")
	text := `
kafka: {sasl: {mechanism: PLAIN, username: alice, password: s-kafka}}
rules: rules.yaml
channels:
  chat: {slack: {token: s-token, channel: C0123456}}
  old: {slack: {webhook: "https://hooks.slack.com/s-webhook"}}
  mail: {email: {server: "mail.example.com:587", from: a@example.com, to: [b@example.com], username: AKIA0123456789, password: s-mail}}
  hook: {webhook: {url: "https://example.com/s-url", secret: s-signing, headers: {Authorization: s-header}}}
  none: {consol: {}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, _, err := config.Load(config.Source{File: file, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Values()) == 0 { // with a channel that has a fault, too
		t.Error("there are no values to show")
	}
	r := l.Redactor()
	for _, text := range []string{"AKIA0123456789", "https://example.com/s-url", "https://hooks.slack.com/s-webhook", "s-header", "s-kafka", "s-mail", "s-signing", "s-token"} {
		if got := r.Redact("it is " + text + "."); got != "it is [redacted]." {
			t.Errorf("%s is shown: %s", text, got)
		}
	}
	for _, text := range []string{"alice", "a@example.com", "https://example.com/", "mail.example.com:587", "C0123456"} {
		if got := r.Redact(text); got != text {
			t.Errorf("%s is no secret, and becomes %s", text, got)
		}
	}
}
