package registry_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/yamldoc"
)

type file struct {
	Channels registry.Set `yaml:"channels"`
}

// CheckYAML implements yamldoc.Checker.
func (f *file) CheckYAML(yamldoc.Cursor) {
	f.Channels.Resolve(dispatch.DefaultRetry(), dispatch.DefaultBreaker())
}

func decode(text string) (*registry.Set, yamldoc.Faults) {
	var f file
	faults := yamldoc.Decode("f", "", []byte("channels: "+text), &f)
	return &f.Channels, faults
}

func TestKindsAreBuiltWithDefaults(t *testing.T) {
	set, faults := decode(`
  desk: {console: {}}
  chat: {slack: {webhook: "https://hooks.slack.com/services/x"}}
  mail: {email: {server: "mail.example.com:587", from: a@example.com, to: [b@example.com]}}
  hook: {webhook: {url: "https://example.com/"}}
  pager: {pagerduty: {routing_key: R0utingKey0123456789abcdefABCDEF}}
  push: {http: {preset: ntfy, topic: alerts}}
  own: {http: {url: "https://example.com/", body: {text: "{{ alert.title }}"}}}
  slow: {webhook: {url: "https://example.com/"}, pace: {rate: 30/m}}`)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	for name, want := range map[string]struct{ partitions, concurrency int }{"desk": {1, 1}, "chat": {3, 1}, "mail": {3, 2}, "hook": {6, 16}, "pager": {3, 4}, "push": {3, 4}, "own": {1, 4}, "slow": {3, 16}} {
		c := set.Get(name)
		if c.Dispatch.Partitions != want.partitions || c.Dispatch.Concurrency != want.concurrency || c.Dispatch.Ambiguous != dispatch.Resend || c.Dispatch.Timeout <= 0 {
			t.Errorf("%s: %+v", name, c.Dispatch)
		}
		ch, err := c.Build(name, registry.Deps{Console: io.Discard})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, ok := ch.(channel.Verifier); !ok || c.Destination() == "" {
			t.Errorf("%s cannot be verified, or says not where it sends to (%q)", name, c.Destination())
		}
		if closer, ok := ch.(io.Closer); ok {
			_ = closer.Close()
		}
	}
	for name, on := range map[string]bool{"desk": false, "chat": true, "mail": true, "hook": false, "slow": false, "pager": false, "push": false, "own": false} {
		if set.Get(name).Dispatch.Digest.On != on {
			t.Errorf("%s: digests are %v", name, !on)
		}
	}
	if set.Get("chat").Dispatch.Pace.Rate != 1 || set.Get("slow").Dispatch.Pace.Rate != 0.5 || set.Get("push").Dispatch.Pace.Rate != 0.2 || set.Get("own").Dispatch.Pace.Rate != 0 {
		t.Error("the paces are wrong")
	}
}

func TestFallbackOfAllSeveritiesAfterTwentySeconds(t *testing.T) {
	set, faults := decode(`{d: {console: {}, fallback: {to: e}}, e: {console: {}, fallback: {to: f}}, f: {console: {}}}`)
	f := set.Get("d").Dispatch.Fallback
	if len(faults) > 0 || f.To != "e" || f.After != 20*time.Second || len(f.Severity) != 0 || set.Get("f").Dispatch.Fallback.To != "" {
		t.Errorf("%+v, %v", f, faults)
	}
}

func TestCommonSettingsAreValidatedPerKind(t *testing.T) {
	const mail = `{email: {server: "m.example.com:25", from: a@example.com, to: [b@example.com]}, `
	for text, want := range map[string]string{
		`{m: ` + mail + `timeout: 30s}}`:                                             "channels.m.timeout: 30s must be longer than email.accept_timeout (1m)",
		`{m: ` + mail + `concurrency: 4}}`:                                           "channels.m.concurrency: 4 is more than email.connections (2)",
		`{d: {console: {}, pace: {rate: 1/s}, partitions: 6}}`:                       "channels.d.partitions: a channel with a rate limit or digests has at most 3 partitions, one for each severity: one instance owns them all",
		`{m: ` + mail + `partitions: 6}}`:                                            "channels.m.partitions: a channel with a rate limit or digests has at most 3 partitions",
		`{d: {console: {}, digest: {window: 1h}}}`:                                   "channels.d.digest.window: 1h is not between 1s and 15m",
		`{d: {console: {}, pace: {burst: 3}}}`:                                       "channels.d.pace: a burst needs a rate, such as rate: 1/s",
		`{d: {console: {}, ambiguous: drop}}`:                                        `channels.d.ambiguous: "drop" is not one of resend and dead-letter`,
		`{p: {pagerduty: {routing_key: too-short}}}`:                                 "channels.p.pagerduty.routing_key: has 9 characters and is not an integration key",
		`{p: {pagerduty: {rooting_key: too-short}}}`:                                 `channels.p.pagerduty.rooting_key: unknown key: did you mean "routing_key"?`,
		`{p: {pagerduty: {url: "http://a.example.com"}}}`:                            "channels.p.pagerduty.url: begins with http://: the routing key would travel in the clear",
		`{d: {http: {preset: discrod}}}`:                                             `channels.d.http.preset: "discrod" is not a preset: did you mean discord?`,
		`{d: {consol: {}}}`:                                                          `channels.d.consol: unknown key: did you mean "console"?`,
		`{d: {console: {}, concurrency: 0}}`:                                         "channels.d.concurrency: 0 is not between 1 and 1024",
		`{d: {console: {}, retry: {attempts: 5}}}`:                                   "breaker.failures (5) must be smaller than retry.attempts (5)",
		`{d: {console: {}, fallback: {to: d}}}`:                                      "channels.d.fallback.to: is the channel itself: name another one",
		`{d: {console: {}, fallback: {to: mial}}, mail: {console: {}}}`:              `channels.d.fallback.to: there is no channel "mial": did you mean "mail"?`,
		`{d: {console: {}, fallback: {after: 1m}}}`:                                  "channels.d.fallback.to: is missing",
		`{d: {console: {}, fallback: {to: e, after: 0s}}, e: {console: {}}}`:         "channels.d.fallback.after: 0s is not between 1s and 24h",
		`{d: {console: {}, fallback: {to: e, severity: [fatal]}}, e: {console: {}}}`: `channels.d.fallback.severity[0]: "fatal" is not one of info, warning and critical`,
		`{d: {console: {}, fallback: {to: e}}, e: {console: {}, fallback: {to: d}}}`: "channels.d.fallback.to: e falls back to d in turn",
		`{}`: "channels: must define at least one channel",
	} {
		_, faults := decode(text)
		if len(faults) == 0 || !strings.Contains(faults.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, faults, want)
		}
	}
}
