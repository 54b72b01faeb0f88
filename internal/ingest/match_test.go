package ingest_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// fragile panics on the values that are named so.
type fragile struct{}

// Decode implements ingest.Decoder.
func (fragile) Decode(r event.Record) (event.Event, error) {
	if string(r.Value) == "decoder" {
		panic("index out of range")
	}
	return event.Event{Type: string(r.Value)}, nil
}

// Match implements ingest.Rules.
func (fragile) MatchKnown(ev *event.Event, _ time.Time, _ *rule.Resolved) ([]alert.Alert, error) {
	if ev.Type == "rule" {
		panic(ev)
	}
	return []alert.Alert{{Rule: "every", Channels: []string{"hook"}}}, nil
}

// TestAPanicTouchesOneRecord in the decoder or in a rule.
func TestAPanicTouchesOneRecord(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	size := func(string) int32 { return kafka.DefaultMaxMessage }
	log := slog.New(slog.DiscardHandler)
	var said bytes.Buffer
	outboxes := outbox.New(outbox.Params{Broker: outbox.Kafka(c.Client(kafka.OutboxOptions(size)...)), Group: c.Group, Channels: []string{"hook"}, Logger: log})
	if err := outboxes.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	h := ingest.New(ingest.Params{
		Group: c.Group, Cluster: c.ID, Program: ingest.Program{Decoder: fragile{}, Rules: fragile{}}, Outboxes: outboxes,
		Dead: dlq.NewWriter(dlq.WriterParams{Client: c.Client(kafka.DeadLetterOptions(size)...), Group: c.Group, Logger: log, Registry: reg}), Topics: []string{string(topics.TradeExecutions)},
		Logger: slog.New(slog.NewTextHandler(&said, nil)), Registry: reg,
	})
	m := consume.New(consume.Params{
		Name: "ingest", Group: c.Group, Topics: []string{string(topics.TradeExecutions)}, Cluster: c.ID, Options: c.Options(),
		SessionTimeout: 10 * time.Second, Window: consume.Window{Records: 4096, Bytes: 64 << 20}, Drain: time.Second, Handler: h, Logger: log, Registry: reg,
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if text := said.String(); !strings.Contains(text, "ingest_test.fragile.MatchKnown(") || !strings.Contains(text, "match_test.go:") {
			t.Errorf("the log does not say where: %s", text)
		}
	}()

	for _, value := range []string{"good", "decoder", "good", "rule", "rule", "good"} {
		c.Produce(&kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k"), Value: []byte(value)})
	}
	testkafka.Eventually(t, 20*time.Second, "everything is committed", func() bool { return c.Lag(c.Group) == 0 })
	ends, err := c.Admin.ListEndOffsets(t.Context(), topics.Outbox(c.Group, "hook"))
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := ends.Lookup(topics.Outbox(c.Group, "hook"), 0); o.Offset != 3 {
		t.Errorf("%d alerts of 3 good events", o.Offset)
	}
	entries, err := dlq.NewReader(c.Client(), c.Group).List(t.Context(), topics.TradeExecutions)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if v := string(e.Envelope.Source.Value); e.Cause != outcome.RulePanicked || v == "good" {
			t.Errorf("a dead letter of %q for %s", v, e.Cause)
		}
	}
	if len(entries) != 3 {
		t.Errorf("%d dead letters of 3 panics", len(entries))
	}
}

// TestARecordOverTheStepsNamesItsRule in its dead letter, and is the only one
// that fails.
func TestARecordOverTheStepsNamesItsRule(t *testing.T) {
	const file = `
version: 1
rules:
  - {name: cheap, to: [hook], title: t, when: event.a != nil}
  - {name: costly, to: [hook], title: t, when: 'sum(map(event.a, sum(map(# == 0 ? event.a : [], # + 1)))) < 0'}
`
	set, faults := rule.Compile("rules.yaml", []byte(file), rule.Environment{Channels: []string{"hook"}})
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	handle(t, c, event.NewDecoder(nil, set.Reads(), nil), set)
	zeros := func(n int) string { return `{"a":[0` + strings.Repeat(",0", n-1) + `]}` }
	for _, value := range []string{zeros(10), zeros(5000), zeros(20)} {
		c.Produce(&kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k"), Value: []byte(value)})
	}
	testkafka.Eventually(t, 20*time.Second, "the short lists have raised their alerts", func() bool {
		ends, err := c.Admin.ListEndOffsets(t.Context(), topics.Outbox(c.Group, "hook"))
		o, _ := ends.Lookup(topics.Outbox(c.Group, "hook"), 0)
		return err == nil && o.Offset == 2
	})
	// A group that has committed nothing yet has no lag.
	testkafka.Eventually(t, 20*time.Second, "everything is committed", func() bool { return c.Lag(c.Group) == 0 })
	entries, err := dlq.NewReader(c.Client(), c.Group).List(t.Context(), topics.TradeExecutions)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if e := entries[0]; e.Cause != outcome.RuleBudget || e.Reason != outcome.OverBudget || e.Rule() != "costly" || e.Envelope.Alert != nil || !strings.Contains(e.Detail, "rule costly took ") {
		t.Errorf("%s %s of rule %q: %s", e.Reason, e.Cause, e.Rule(), e.Detail)
	}
}

// wide raises an alert of 32 KiB on every event. At the first and at the last
// event it waits.
type wide struct {
	last           int64
	begun          chan struct{}
	first, theLast chan struct{} // closed: continue
}

// Match implements ingest.Rules.
func (w wide) MatchKnown(ev *event.Event, _ time.Time, _ *rule.Resolved) ([]alert.Alert, error) {
	switch ev.Record.Offset {
	case 0:
		close(w.begun)
		<-w.first
	case w.last:
		<-w.theLast
	}
	return []alert.Alert{{Rule: "wide", Channels: []string{"hook"}, Text: alert.Text{{Text: strings.Repeat("x", 32<<10)}}}}, nil
}

// polled counts the records that a client has returned.
type polled struct{ n atomic.Int64 }

// OnFetchRecordUnbuffered implements kgo.HookFetchRecordUnbuffered.
func (p *polled) OnFetchRecordUnbuffered(_ *kgo.Record, polled bool) {
	if polled {
		p.n.Add(1)
	}
}

// TestLargeBatchIsCommittedInParts: what its alerts take in memory is
// bounded, and what is done is not done again.
func TestLargeBatchIsCommittedInParts(t *testing.T) {
	const n = 300 // 20 MiB of alerts, and the same in headers
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	rules := wide{last: n, begun: make(chan struct{}), first: make(chan struct{}), theLast: make(chan struct{})}
	release := sync.OnceFunc(func() { close(rules.theLast) })
	t.Cleanup(release)
	var seen polled
	handle(t, c, event.NewDecoder(nil, nil, nil), rules, kgo.WithHooks(&seen))
	t.Cleanup(release) // before the member is awaited
	produce := func(n int) {
		for range n {
			c.Produce(&kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k"), Value: []byte("{}")})
		}
	}
	produce(1)
	<-rules.begun
	produce(n)
	testkafka.Eventually(t, 20*time.Second, "all are in one batch", func() bool { return seen.n.Load() == n+1 })
	close(rules.first)
	testkafka.Eventually(t, 20*time.Second, "a part is committed while the last record is matched", func() bool { return c.Lag(c.Group) < n/2 })
	release()
	testkafka.Eventually(t, 20*time.Second, "everything is committed", func() bool { return c.Lag(c.Group) == 0 })
}

// handle runs a member with a handler of the source until the test ends.
func handle(t *testing.T, c *testkafka.Cluster, decoder ingest.Decoder, rules ingest.Rules, options ...kgo.Opt) {
	t.Helper()
	size := func(string) int32 { return kafka.DefaultMaxMessage }
	log := slog.New(slog.DiscardHandler)
	outboxes := outbox.New(outbox.Params{Broker: outbox.Kafka(c.Client(kafka.OutboxOptions(size)...)), Group: c.Group, Channels: []string{"hook"}, Logger: log})
	if err := outboxes.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	h := ingest.New(ingest.Params{
		Group: c.Group, Cluster: c.ID, Program: ingest.Program{Decoder: decoder, Rules: rules}, Outboxes: outboxes,
		Dead: dlq.NewWriter(dlq.WriterParams{Client: c.Client(kafka.DeadLetterOptions(size)...), Group: c.Group, Logger: log, Registry: reg}), Topics: []string{string(topics.TradeExecutions)},
		Logger: log, Registry: reg,
	})
	m := consume.New(consume.Params{
		Name: "ingest", Group: c.Group, Topics: []string{string(topics.TradeExecutions)}, Cluster: c.ID, Options: append(c.Options(), options...),
		SessionTimeout: 10 * time.Second, Window: consume.Window{Records: 4096, Bytes: 64 << 20}, Drain: time.Second, Handler: h, Logger: log, Registry: reg,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
