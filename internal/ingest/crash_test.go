package ingest_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// deadly is a decoder in which the value "poison" kills the process: it never
// returns, and what was begun is never finished.
type deadly struct {
	plain
	died, end chan struct{}
}

// Decode implements ingest.Decoder.
func (d deadly) Decode(r event.Record) (event.Event, error) {
	if string(r.Value) == "poison" {
		close(d.died)
		<-d.end
	}
	return d.plain.Decode(r)
}

// await is a decoder whose records with the value "poison" need a schema, and a registry
// at which the process dies while it waits, or that has the schema.
type await struct {
	plain
	died, end chan struct{}
	has       bool
	deadly    bool // it dies of the record once it has the schema

	fetched atomic.Bool
}

// Decode implements ingest.Decoder.
func (a *await) Decode(r event.Record) (event.Event, error) {
	switch {
	case string(r.Value) == "poison" && !a.fetched.Load():
		return event.Event{}, &event.SchemaMissing{ID: event.SchemaID{Number: 7}}
	case string(r.Value) == "poison" && a.deadly:
		close(a.died)
		<-a.end
	}
	return a.plain.Decode(r)
}

// Fetch implements ingest.Schemas.
func (a *await) Fetch(context.Context, event.SchemaID) error {
	if !a.has {
		close(a.died)
		<-a.end
	}
	a.fetched.Store(true)
	return nil
}

// TestRecordThatKillsProcessesBecomesADeadLetter, quarantined, after the third death, and what
// is behind it raises its alert.
func TestRecordThatKillsProcessesBecomesADeadLetter(t *testing.T) {
	quarantined(t, func(_ int, died, end chan struct{}) ingest.Params {
		return ingest.Params{Program: ingest.Program{Decoder: deadly{died: died, end: end}, Rules: plain{}}}
	})
}

func TestRecordThatKillsWithItsSchemaIsFound(t *testing.T) {
	quarantined(t, func(_ int, died, end chan struct{}) ingest.Params {
		a := &await{died: died, end: end, has: true, deadly: true}
		return ingest.Params{Program: ingest.Program{Decoder: a, Rules: plain{}}, Schemas: a}
	})
}

func quarantined(t *testing.T, params func(deaths int, died, end chan struct{}) ingest.Params) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	if deaths := live(t, c, params, 4); deaths > 3 {
		t.Fatal("the record keeps killing processes")
	}
	entries := deadLetters(t, c)
	if len(entries) != 1 || entries[0].Cause != outcome.Crashes || entries[0].State != dlq.Quarantined || string(entries[0].Envelope.Source.Value) != "poison" {
		t.Fatalf("dead letters %+v", entries)
	}
	if n := alertsOf(t, c); n < 2 {
		t.Errorf("%d alerts", n)
	}
}

// TestProcessesThatDieAwaitingSchemaBlameNoRecord: what they die of is not the record that
// waits.
func TestProcessesThatDieAwaitingSchemaBlameNoRecord(t *testing.T) {
	const most = 6
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	deaths := live(t, c, func(deaths int, died, end chan struct{}) ingest.Params {
		a := &await{died: died, end: end, has: deaths == most}
		return ingest.Params{Program: ingest.Program{Decoder: a, Rules: plain{}}, Schemas: a}
	}, most+1)
	if deaths != most {
		t.Errorf("%d processes died, want %d", deaths, most)
	}
	if entries := deadLetters(t, c); len(entries) != 0 {
		t.Errorf("dead letters %+v", entries)
	}
	if n := alertsOf(t, c); n < 3 {
		t.Errorf("%d alerts", n)
	}
}

func deadLetters(t *testing.T, c *testkafka.Cluster) []*dlq.Entry {
	t.Helper()
	entries, err := dlq.NewReader(c.Client(), c.Group).List(t.Context(), topics.TradeExecutions)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func alertsOf(t *testing.T, c *testkafka.Cluster) int64 {
	t.Helper()
	ends, err := c.Admin.ListEndOffsets(t.Context(), topics.Outbox(c.Group, "hook"))
	if err != nil {
		t.Fatal(err)
	}
	o, _ := ends.Lookup(topics.Outbox(c.Group, "hook"), 0)
	return o.Offset
}

// live lets one process after another read three records, the second of which is poison,
// until one is done with them or so many have died; it returns how many did.
func live(t *testing.T, c *testkafka.Cluster, params func(deaths int, died, end chan struct{}) ingest.Params, most int) (deaths int) {
	size := func(string) int32 { return kafka.DefaultMaxMessage }
	log := slog.New(slog.DiscardHandler)
	name := string(topics.TradeExecutions)
	c.Produce(
		&kgo.Record{Topic: name, Key: []byte("k"), Value: []byte("good")},
		&kgo.Record{Topic: name, Key: []byte("k"), Value: []byte("poison")},
		&kgo.Record{Topic: name, Key: []byte("k"), Value: []byte("good")},
	)
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	for alive := false; !alive && deaths < most; {
		died := make(chan struct{})
		outboxes := outbox.New(outbox.Params{Broker: outbox.Kafka(c.Client(kafka.OutboxOptions(size)...)), Group: c.Group, Channels: []string{"hook"}, Logger: log})
		if err := outboxes.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		reg := prometheus.NewRegistry()
		p := params(deaths, died, end)
		p.Group, p.Cluster, p.Outboxes, p.Topics, p.MaxReplays, p.Logger, p.Registry = c.Group, c.ID, outboxes, []string{name}, 3, log, reg
		p.Dead = dlq.NewWriter(dlq.WriterParams{Client: c.Client(kafka.DeadLetterOptions(size)...), Group: c.Group, Logger: log, Registry: reg})
		m := consume.New(consume.Params{
			Name: "ingest", Group: c.Group, Topics: []string{name}, Marked: []string{name}, Cluster: c.ID, Options: c.Options(), InstanceID: "a",
			SessionTimeout: 10 * time.Second, Window: consume.Window{Records: 4096, Bytes: 64 << 20}, Drain: time.Millisecond, Logger: log, Registry: reg,
			Handler: ingest.New(p),
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = m.Run(ctx) // a dead one is fenced
		}()
		t.Cleanup(func() { cancel(); <-ended })
		testkafka.Eventually(t, 30*time.Second, "it dies or is done", func() bool {
			select {
			case <-died:
				return true
			default:
				alive = c.Lag(c.Group) == 0
				return alive
			}
		})
		if !alive {
			deaths++
		}
	}
	return deaths
}
