package ingest_test

import (
	"context"
	"log/slog"
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

// TestRecordThatKillsProcessesBecomesADeadLetter, quarantined, after the third death, and what
// is behind it raises its alert.
func TestRecordThatKillsProcessesBecomesADeadLetter(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
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
	deaths := 0
	for alive := false; !alive; {
		died := make(chan struct{})
		outboxes := outbox.New(outbox.Params{Broker: outbox.Kafka(c.Client(kafka.OutboxOptions(size)...)), Group: c.Group, Channels: []string{"hook"}, Logger: log})
		if err := outboxes.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		reg := prometheus.NewRegistry()
		m := consume.New(consume.Params{
			Name: "ingest", Group: c.Group, Topics: []string{name}, Marked: []string{name}, Cluster: c.ID, Options: c.Options(), InstanceID: "a",
			SessionTimeout: 10 * time.Second, Window: consume.Window{Records: 4096, Bytes: 64 << 20}, Drain: time.Millisecond, Logger: log, Registry: reg,
			Handler: ingest.New(ingest.Params{
				Group: c.Group, Cluster: c.ID, Program: ingest.Program{Decoder: deadly{died: died, end: end}, Rules: plain{}}, Outboxes: outboxes,
				Dead: dlq.NewWriter(dlq.WriterParams{Client: c.Client(kafka.DeadLetterOptions(size)...), Group: c.Group, Logger: log, Registry: reg}), Topics: []string{name}, MaxReplays: 3, Logger: log, Registry: reg,
			}),
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
		if deaths > 3 {
			t.Fatal("the record keeps killing processes")
		}
	}
	entries, err := dlq.NewReader(c.Client(), c.Group).List(t.Context(), topics.TradeExecutions)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Cause != outcome.Crashes || entries[0].State != dlq.Quarantined || string(entries[0].Envelope.Source.Value) != "poison" {
		t.Fatalf("dead letters %+v", entries)
	}
	ends, err := c.Admin.ListEndOffsets(t.Context(), topics.Outbox(c.Group, "hook"))
	if err != nil {
		t.Fatal(err)
	}
	if o, _ := ends.Lookup(topics.Outbox(c.Group, "hook"), 0); o.Offset < 2 {
		t.Errorf("%d alerts", o.Offset)
	}
}
