package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// TestRedactorHidesAllSecrets: credentials of every channel, and no other value.
func TestRedactorHidesAllSecrets(t *testing.T) {
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
  oncall: {pagerduty: {routing_key: s-routing}}
  bot: {http: {preset: telegram, token: "1:s-bot", chat: "-1"}}
  push: {http: {preset: ntfy, topic: s-topic, token: s-ntfy, headers: {X-Key: s-own}}}
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
		t.Error("Values returns nothing")
	}
	r := l.Redactor()
	for _, text := range []string{"AKIA0123456789", "https://example.com/s-url", "https://hooks.slack.com/s-webhook", "s-header", "s-kafka", "s-mail", "s-ntfy", "s-own", "s-routing", "s-topic", "1:s-bot", "s-signing", "s-token"} {
		if got := r.Redact("it is " + text + "."); got != "it is [redacted]." {
			t.Errorf("%s is shown: %s", text, got)
		}
	}
	for _, text := range []string{"alice", "a@example.com", "https://example.com/", "mail.example.com:587", "C0123456"} {
		if got := r.Redact(text); got != text {
			t.Errorf("%s is not a secret but becomes %s", text, got)
		}
	}
}

func TestLiteralSecretIsWarning(t *testing.T) {
	t.Setenv("TOKEN", "x")
	for channel, want := range map[string]string{
		`{slack: {token: xoxb-1, channel: C0123456}}`:                                                       "channels.x.slack.token",
		`{slack: {webhook: "https://hooks.slack.com/services/T0/B0/x"}}`:                                    "channels.x.slack.webhook",
		`{webhook: {url: "https://a.example.com", secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz}}`:         "channels.x.webhook.secret",
		`{webhook: {url: "https://a.example.com", headers: {Authorization: Bearer hunter-2}}}`:              "channels.x.webhook.headers.Authorization",
		`{webhook: {url: "https://a.example.com", headers: {X-Desk: eq, Authorization: Bearer env:TOKEN}}}`: "",
		`{pagerduty: {routing_key: R0utingKey0123456789abcdefABCDEF}}`:                                      "channels.x.pagerduty.routing_key",
		`{http: {preset: telegram, token: "1:hunter", chat: "-1"}}`:                                         "channels.x.http.token",
		`{http: {preset: discord, url: "https://discord.com/api/webhooks/1/hunter"}}`:                       "channels.x.http.url",
		`{http: {preset: ntfy, topic: alerts}}`:                                                             "",
		`{slack: {token: env:TOKEN, channel: C0123456}}`:                                                    "",
	} {
		faults := faultsOf(t, "channels: {x: "+channel+"}\n")
		literal := slices.DeleteFunc(faults, func(f yamldoc.Fault) bool { return !strings.HasPrefix(f.Message, "is a secret in the file") })
		if len(literal.Errors()) > 0 || want == "" && len(literal) > 0 || want != "" && (len(literal) != 1 || literal[0].Path != want) || strings.Contains(literal.Error(), "hunter") {
			t.Errorf("%s: %v, want a warning of %q", channel, literal, want)
		}
	}
}

func TestReferenceOutsideSecretIsFault(t *testing.T) {
	for text, want := range map[string]string{
		"kafka: {client_id: '${HOSTNAME}'}": "kafka.client_id",
		"kafka: {brokers: ['env:BROKERS']}": "kafka.brokers",
		"http: {listen: '${LISTEN}'}":       "http.listen",
		"lag: {groups: ['${GROUP}']}":       "lag.groups",
		"rules: file:rules.yaml":            "rules",
		"channels: {x: {email: {server: 'mail.example.com:587', from: 'alerts@${DOMAIN}', to: [a@example.com]}}}": "channels.x.email.from",
	} {
		if got := faultsOf(t, text+"\n").Error(); !strings.Contains(got, want+": contains a reference, which is only resolved in secrets") {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// faultsOf returns the faults of a configuration without its rules.
func faultsOf(t *testing.T, text string) yamldoc.Faults {
	t.Helper()
	file := filepath.Join(t.TempDir(), "notifier.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, faults, err := config.LoadBase(config.Source{File: file, Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	return faults
}

func TestHTTPFaults(t *testing.T) {
	for text, want := range map[string]string{
		`{listen: "unix:/run/notifier/http.sock", token: 0123456789abcdef, hosts: [a.example.com, notifier_1, x.]}`: "",
		`{listen: "9464"}`:        `http.listen: "9464" is not host:port, such as 127.0.0.1:9464, nor unix:/path`,
		`{listen: "unix:sock"}`:   "http.listen: \"unix:sock\": the path of a Unix socket must be absolute",
		`{token: short}`:          "http.token: has 5 bytes, the minimum is 16",
		`{hosts: ["a:9464"]}`:     `http.hosts: invalid host name "a:9464"`,
		`{hosts: ["http://a"]}`:   `http.hosts: invalid host name "http://a"`,
		`{hosts: ["*.a"]}`:        `http.hosts: invalid host name "*.a"`,
		`{token: "env:NO_TOKEN"}`: "http.token: environment variable NO_TOKEN is not set",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "notifier.yaml")
		if err := os.WriteFile(file, []byte("channels: {desk: {console: {}}}\nhttp: "+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		l, faults, err := config.LoadBase(config.Source{File: file, Getenv: func(string) string { return "" }})
		if err != nil {
			t.Fatal(err)
		}
		if want == "" && len(faults.Errors()) > 0 || want != "" && !strings.Contains(faults.Error(), want) {
			t.Errorf("%s: %v", text, faults)
		}
		if got := l.Redactor().Redact("Bearer 0123456789abcdef"); want == "" && strings.Contains(got, "0123456789abcdef") {
			t.Errorf("the token is shown: %s", got)
		}
	}
}
