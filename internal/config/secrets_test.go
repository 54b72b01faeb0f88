package config_test

import (
	"os"
	"path/filepath"
	"slices"
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
	got := l.Secrets()
	slices.Sort(got)
	want := []string{"AKIA0123456789", "https://example.com/s-url", "https://hooks.slack.com/s-webhook", "s-header", "s-kafka", "s-mail", "s-signing", "s-token"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
