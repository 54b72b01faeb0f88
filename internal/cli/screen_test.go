package cli

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/console"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/sample"
)

// TestDevScreen is what someone sees who tries the notifier out.
func TestDevScreen(t *testing.T) {
	var b bytes.Buffer
	s := newScreen(&base.Globals{IO: base.Streams{Out: &b}}, "127.0.0.1:9092")
	opening := time.Date(2026, 11, 23, 14, 31, 3, 0, time.UTC)
	now := opening
	s.now = func() time.Time { return now }
	d := devFlags{rate: 40, seed: 1}
	s.head("127.0.0.1:9464", 3, 13, d)

	set, faults := rule.Compile("rules.yaml", configs.Rules, rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	desk, err := console.New(console.Config{}, "desk", s.out)
	if err != nil {
		t.Fatal(err)
	}
	// What seed 1 tells until its first poison.
	const offset, latency = 72, 3 * time.Millisecond
	story, decoder := sample.NewStory(d.seed, opening, d.rate), event.NewDecoder(nil, nil, nil)
	for poison, silent := false, map[string]bool{}; !poison; {
		r := story.Next()
		now = opening.Add(r.At + latency)
		e, err := decoder.Decode(event.Record{Topic: string(r.Topic), Value: r.Value, Time: now})
		if poison = err != nil; poison {
			s.deadLetter(&dlq.Entry{
				ID: "re_4k7qabcdefghijklmnopqrstuv", Detail: outcome.Classify(err).Detail, Reason: outcome.Undecodable,
				Envelope: &envelope.Envelope{Source: envelope.Source{Topic: string(r.Topic), Partition: 3, Offset: offset}},
			})
			break
		}
		alerts, err := set.Match(&e, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range alerts {
			if id := a.Rule + a.KeyText(); a.State == alert.Firing && !silent[id] {
				silent[id] = true
				if _, err := desk.Send(t.Context(), channel.Message{Alert: a, Now: now}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	now = now.Add(13 * time.Second)
	s.summary(summary{events: 1004, alerts: 9, deadLetters: 2})
	s.try("configs/rules.yaml")
	now = now.Add(10 * time.Second)
	s.resolved(dlq.Closure{Key: []byte("re_4k7qabcdefghijklmnopqrstuv"), Closing: dlq.Closing{State: dlq.Resolved, By: "ann@desk", Comment: "edited"}})
	now = now.Add(20 * time.Second)
	s.reloaded(0, `configs/rules.yaml:38:15: rules[0].throttle: "5x" is not a duration: write it as 500ms, 30s, 5m, 1h, 7d or 1w`)
	now = now.Add(20 * time.Second)
	s.reloaded(13, "")
	now = now.Add(10 * time.Second)
	s.end(summary{events: 3404, alerts: 1, throttled: 12, deadLetters: 1}, d)

	const golden = "testdata/screen.golden"
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestSummaryHasLagOfOurGroups(t *testing.T) {
	reg := prometheus.NewRegistry()
	if n := totals(reg, "ours").lag; n != -1 {
		t.Errorf("lag %d without a sample, want -1", n)
	}
	lag := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "notifier_consumer_lag_records"}, []string{"group", "topic", "partition"})
	reg.MustRegister(lag)
	for group, n := range map[string]float64{"ours": 2, "ours.outbox": 3, "others": 40} {
		lag.WithLabelValues(group, "t", "0").Set(n)
	}
	if n := totals(reg, "ours").lag; n != 5 {
		t.Errorf("lag %d, want 5", n)
	}
}
