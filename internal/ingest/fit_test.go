package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
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

// plain decodes nothing and raises one alert for each record.
type plain struct{}

// Decode implements ingest.Decoder.
func (plain) Decode(r event.Record) (event.Event, error) {
	return event.Event{Record: r, Type: "t"}, nil
}

// Match implements ingest.Rules.
func (plain) MatchKnown(*event.Event, time.Time, *rule.Resolved) ([]alert.Alert, error) {
	return []alert.Alert{{Rule: "every", Severity: alert.Critical, Channels: []string{"hook"}, Title: alert.Text{{Text: "t"}}}}, nil
}

// noise is text that does not compress.
func noise(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestOutboxLimitRefusesOneAlertAtMost: an outbox takes less than it did when the
// daemon started. What fits alone is an alert, although brokers refuse the whole
// batch that it came in; what does not fit is a dead letter with its
// value; a record that fits nowhere is counted, and what is behind it goes out.
func TestOutboxLimitRefusesOneAlertAtMost(t *testing.T) {
	c := testkafka.Bare(t)
	shapes := c.Shapes([]kafka.Channel{{Name: "hook", Partitions: 1}})
	for i := range shapes {
		switch shapes[i].Role {
		case kafka.RoleOutbox:
			shapes[i].Configs["max.message.bytes"] = "60000"
		case kafka.RoleDeadLetter:
			shapes[i].Configs["max.message.bytes"] = "300000"
		}
	}
	c.Make(shapes...)
	believed := func(string) int32 { return 8 << 20 }
	log := slog.New(slog.DiscardHandler)
	outboxes := outbox.New(outbox.Params{Broker: outbox.Kafka(c.Client(kafka.OutboxOptions(believed)...)), Group: c.Group, Channels: []string{"hook"}, Logger: log})
	if err := outboxes.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	h := ingest.New(ingest.Params{
		Group: c.Group, Cluster: c.ID, Program: ingest.Program{Decoder: plain{}, Rules: plain{}}, Outboxes: outboxes,
		Dead: dlq.NewWriter(dlq.WriterParams{Client: c.Client(kafka.DeadLetterOptions(believed)...), Group: c.Group, Logger: log, Registry: reg}), Topics: []string{string(topics.TradeExecutions)},
		Logger: log, Registry: reg,
	})

	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{40_000, 40_000, 100_000, 40_000, 10, 200_000, 40_000, 10}
	var records []*kgo.Record
	for i, n := range sizes {
		records = append(records, &kgo.Record{Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, i), Partition: 0, Value: noise(r, n)})
	}
	producer := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(kafka.DefaultMaxMessage))
	if err := producer.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
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
	}()
	testkafka.Eventually(t, 30*time.Second, "everything is committed", func() bool {
		offsets, err := c.Admin.FetchOffsets(t.Context(), c.Group)
		o, ok := offsets.Lookup(string(topics.TradeExecutions), 0)
		return err == nil && ok && o.At == int64(len(sizes))
	})

	reader := c.Client(kgo.ConsumeTopics(topics.Outbox(c.Group, "hook")), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var got []string
	for len(got) < 6 {
		pollCtx, done := context.WithTimeout(t.Context(), 10*time.Second)
		fetches := reader.PollFetches(pollCtx)
		done()
		if fetches.Empty() {
			break
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Key)) })
	}
	slices.Sort(got) // each key is one record's
	if want := "0 1 3 4 6 7"; strings.Join(got, " ") != want {
		t.Errorf("alerts of %v, want those of %s", got, want)
	}
	entries, err := dlq.NewReader(c.Client(), c.Group).List(t.Context(), topics.TradeExecutions)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if want := []int{200_000, 100_000}[i]; e.Cause != outcome.AlertTooLarge || len(e.Envelope.Source.Value) != want || e.Pointer {
			t.Errorf("dead letter of %d bytes for %s, want %d", len(e.Envelope.Source.Value), e.Cause, want)
		}
	}
	if len(entries) != 2 {
		t.Errorf("%d dead letters", len(entries))
	}
}
