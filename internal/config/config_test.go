package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/config"
)

func nothing(string) string { return "" }

func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEmbeddedConfigurationHasNoFaults(t *testing.T) {
	t.Chdir(t.TempDir())
	l, faults, err := config.Load(config.Source{Shipped: true, Getenv: nothing})
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	if names := l.Channels.Names(); len(names) != 1 || names[0] != "desk" || l.Channels.Get("desk").Kind != "console" || l.File != "" {
		t.Errorf("%v from %q", names, l.File)
	}
	if n := len(l.Rules.Rules()); n != 13 {
		t.Errorf("%d rules", n)
	}
}

// TestUncommentedConfigurationHasNoFaults: settings that are commented out are
// valid and show the defaults.
func TestUncommentedConfigurationHasNoFaults(t *testing.T) {
	off := regexp.MustCompile(`(?m)^(\s*)#([a-z][a-z_-]*:)`)
	if n := len(off.FindAll(configs.Notifier, -1)); n < 20 {
		t.Fatalf("only %d settings are commented out", n)
	}
	for _, name := range []string{"KAFKA_USER", "KAFKA_PASSWORD", "SLACK_BOT_TOKEN", "SMTP_USER", "SMTP_PASSWORD", "SCHEMA_REGISTRY_USER", "SCHEMA_REGISTRY_PASSWORD"} {
		t.Setenv(name, "value-of-"+name)
	}
	t.Setenv("RISK_HOOK_SECRET", "raw:value-of-RISK_HOOK_SECRET")
	t.Setenv("TELEGRAM_BOT_TOKEN", "123456:value-of-TELEGRAM_BOT_TOKEN")
	t.Setenv("DISCORD_WEBHOOK_URL", "https://discord.com/api/webhooks/1/value-of-DISCORD_WEBHOOK_URL")
	t.Setenv("PAGERDUTY_ROUTING_KEY", "R0utingKey0123456789abcdefABCDEF")
	t.Setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T0/B0/x")
	t.Setenv("RISK_HOOK_URL", "https://risk.example.com/hook")
	dir := t.TempDir()
	write(t, dir, "rules.yaml", configs.Rules)
	if err := os.CopyFS(filepath.Join(dir, "schemas"), os.DirFS("../../configs/schemas")); err != nil {
		t.Fatal(err)
	}
	file := write(t, dir, "notifier.yaml", off.ReplaceAll(configs.Notifier, []byte("$1$2")))
	l, faults, err := config.Load(config.Source{File: file, Getenv: nothing})
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	if got := strings.Join(l.Channels.Names(), " "); got != "desk desk-discord desk-hook desk-mail desk-slack desk-telegram oncall push risk-hook" {
		t.Errorf("channels: %s", got)
	}
	defaults := config.Defaults()
	if l.Retry != defaults.Retry || l.Breaker != defaults.Breaker || l.DLQ != defaults.DLQ || !reflect.DeepEqual(l.HTTP, defaults.HTTP) || l.Log != defaults.Log || l.Tracing != defaults.Tracing || l.Shutdown != defaults.Shutdown || l.Kafka.Window != defaults.Kafka.Window {
		t.Error("a commented value is not the default")
	}
	for _, v := range l.Values() {
		if strings.Contains(v.Value, "value-of-") || strings.Contains(v.Value, "hooks.slack.com") {
			t.Errorf("%s shows a secret: %s", v.Key, v.Value)
		}
	}
}

func TestUnitTimeoutExceedsStopTimeout(t *testing.T) {
	unit, err := os.ReadFile("../../configs/systemd/notifier.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Type=notify", "TimeoutStopSec=45s", "RestartPreventExitStatus=77 78", "KAFKA_GROUP_INSTANCE_ID=%H", "\nMemoryMax=512M\n", "\nTasksMax=512\n", "\nLimitNOFILE=65536\n"} {
		if !strings.Contains(string(unit), want) {
			t.Errorf("the unit lacks %s", want)
		}
	}
	if config.Defaults().Shutdown.Drain >= config.StopTimeout || config.StopTimeout.Seconds() >= 45 {
		t.Error("want drain < StopTimeout < TimeoutStopSec")
	}
}

func TestGroupMustFitTopicNames(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "rules.yaml", configs.Rules)
	for group, want := range map[string]string{
		"a b":                    `group "a b" cannot be part of a topic name`,
		strings.Repeat("g", 240): "characters, the limit is 249",
	} {
		file := write(t, dir, "notifier.yaml", []byte("kafka: {group: '"+group+"'}\nchannels: {desk: {console: {}}}\n"))
		_, faults, err := config.Load(config.Source{File: file, Getenv: nothing})
		if err != nil || len(faults.Errors()) != 1 || !strings.Contains(faults.Error(), want) {
			t.Errorf("%v %v, want %s", err, faults, want)
		}
	}
}

func TestTroubleIsToldOnAKnownChannel(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "rules.yaml", configs.Rules)
	for _, c := range []struct{ channels, to, fault, notified string }{
		{"{desk: {console: {}}}", `""`, "", ""},
		{"{desk: {console: {}}, mail: {console: {}}}", `""`, "warning: channels: notify_trouble is not set", ""},
		{"{desk: {console: {}}, mail: {console: {}}}", "off", "", ""},
		{"{desk: {console: {}}, mail: {console: {}}}", "mail", "", "mail"},
		{"{desk: {console: {}}, mail: {console: {}}}", "mial", `notify_trouble: there is no channel "mial": did you mean "mail"?`, "mial"},
	} {
		file := write(t, dir, "notifier.yaml", []byte("notify_trouble: "+c.to+"\nchannels: "+c.channels+"\n"))
		l, faults, err := config.Load(config.Source{File: file, Getenv: nothing})
		if err != nil || (c.fault == "") != (len(faults) == 0) || !strings.Contains(faults.Error(), c.fault) || l.Notified() != c.notified {
			t.Errorf("%s: %v %v, told on %q", c.to, err, faults, l.Notified())
		}
	}
}

// TestOpenTelemetryVariablesSetTheCollector: the variable for traces has
// precedence and is the whole URL.
func TestOpenTelemetryVariablesSetTheCollector(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "rules.yaml", configs.Rules)
	const both, traces = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	for _, tc := range []struct {
		file                    string
		env                     map[string]string
		endpoint, origin, fault string
	}{
		{"", nil, `""`, "default", ""},
		{"{endpoint: 'http://c:4318'}", nil, "http://c:4318/v1/traces", "notifier.yaml:2", ""},
		{"{endpoint: 'http://c:4318'}", map[string]string{both: "http://other:4318"}, "http://other:4318/v1/traces", "environment " + both, ""},
		{"{}", map[string]string{both: "http://other:4318/base/", traces: "http://third/spans"}, "http://third/spans", "environment " + traces, ""},
		{"{endpoint: 'c:4317'}", nil, "", "", "notifier.yaml:2:21: tracing.endpoint: is not the URL of a collector, such as http://127.0.0.1:4318"},
		{"{endpoint: 'http://me:s3cret@c'}", nil, "", "", "notifier.yaml:2:21: tracing.endpoint: holds a user or a query"},
		{"{ratio: 1.5}", nil, "", "", "1.5 is not between 0 and 1"},
		{"{}", map[string]string{both: "s3cret"}, "", "", "environment " + both},
	} {
		text := "channels: {desk: {console: {}}}\n"
		if tc.file != "" {
			text += "tracing: " + tc.file + "\n"
		}
		file := write(t, dir, "notifier.yaml", []byte(text))
		l, faults, err := config.Load(config.Source{File: file, Getenv: func(name string) string { return tc.env[name] }})
		if err != nil {
			t.Fatal(err)
		}
		if tc.fault != "" {
			if !strings.Contains(faults.Error(), tc.fault) || strings.Contains(faults.Error(), "s3cret") {
				t.Errorf("%s %v: %v", tc.file, tc.env, faults)
			}
			continue
		}
		for _, v := range l.Values() {
			if v.Key == "tracing.endpoint" && (v.Value != tc.endpoint || !strings.HasSuffix(v.Origin, tc.origin)) || len(faults) > 0 {
				t.Errorf("%s %v: %+v, %v", tc.file, tc.env, v, faults)
			}
		}
	}
}

// TestComposeConfigurationHasNoFaults, with the default rules.
func TestComposeConfigurationHasNoFaults(t *testing.T) {
	text, err := os.ReadFile("../../configs/compose/notifier.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "rules.yaml", configs.Rules)
	l, faults, err := config.Load(config.Source{File: write(t, dir, "notifier.yaml", text), Getenv: nothing})
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	if !slices.Equal(l.Kafka.Brokers, []string{"kafka:19092"}) {
		t.Errorf("the brokers are %v", l.Kafka.Brokers)
	}
}

func TestSectionsMayBeEmpty(t *testing.T) {
	file := write(t, t.TempDir(), "notifier.yaml", []byte("lag: {}\nkafka:\nevents: {}\nlog: {}\nchannels: {desk: {console: }}\n"))
	if _, faults, err := config.LoadBase(config.Source{File: file, Getenv: nothing}); err != nil || len(faults) > 0 {
		t.Error(err, faults)
	}
}
