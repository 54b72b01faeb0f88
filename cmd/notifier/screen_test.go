package main

import (
	"bytes"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/dispatch/console"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
)

// TestTheScreenOfDev is what somebody sees who tries the notifier out.
func TestTheScreenOfDev(t *testing.T) {
	var b bytes.Buffer
	s := newScreen(&globals{io: stdio{out: &b}}, "127.0.0.1:9092")
	now := time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)
	s.now = func() time.Time { return now }
	d := devFlags{rate: 40, seed: 1}
	s.head("127.0.0.1:9464", 3, 13, d)

	set, faults := rule.Compile("rules.yaml", configs.Rules, rule.Surroundings{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	desk, err := console.New(console.Config{}, "desk", s.out)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"trade-executions/order.rejected", "portfolio-updates/account.restricted", "portfolio-updates/portfolio.snapshot-drawdown"} {
		data, err := os.ReadFile("../../configs/samples/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		topic, _, _ := bytes.Cut([]byte(name), []byte("/"))
		e, err := event.NewDecoder(nil, nil, nil).Decode(event.Record{Topic: string(topic), Value: data})
		if err != nil {
			t.Fatal(err)
		}
		e.Time = now.Add(-3 * time.Millisecond)
		for _, a := range set.Match(&e, now) {
			if _, err := desk.Send(t.Context(), dispatch.Message{Alert: a, Now: now}); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(4 * time.Second)
	}
	s.deadLetter(&dlq.Entry{
		ID: "re_4k7qabcdefghijklmnopqrstuv", Detail: "not JSON at byte 214 (truncated)", Reason: outcome.Undecodable,
		Envelope: &envelope.Envelope{Source: envelope.Source{Topic: string(topics.TradeExecutions), Partition: 3, Offset: 118}},
	})
	now = now.Add(13 * time.Second)
	s.account(account{events: 1004, alerts: 9, deadLetters: 2})
	s.try("configs/rules.yaml")
	now = now.Add(10 * time.Second)
	s.resolved(dlq.Closure{Key: []byte("re_4k7qabcdefghijklmnopqrstuv"), Closing: dlq.Closing{State: dlq.Resolved, By: "ann@desk", Comment: "edited"}})
	now = now.Add(50 * time.Second)
	s.end(account{events: 3404, alerts: 1, throttled: 12, deadLetters: 1}, d)

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
