package ingest_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/ingest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/unpack"
)

// A batch that is too large to be unpacked is one dead letter, which points at its
// first record and is not replayed as it is; what stands behind it is matched.
func TestOversizedBatchIsOneDeadLetter(t *testing.T) {
	const source = string(topics.TradeExecutions)
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	size := func(string) int32 { return kafka.DefaultMaxMessage }
	log := slog.New(slog.DiscardHandler)
	outboxes := outbox.New(outbox.Params{Broker: outbox.Kafka(c.Client(kafka.OutboxOptions(size)...)), Group: c.Group, Channels: []string{"hook"}, Logger: log})
	if err := outboxes.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	h := ingest.New(ingest.Params{
		Group: c.Group, Cluster: c.ID, Program: ingest.Program{Decoder: fragile{}, Rules: fragile{}}, Outboxes: outboxes, MaxReplays: 3,
		Dead: dlq.NewWriter(dlq.WriterParams{Client: c.Client(kafka.DeadLetterOptions(size)...), Group: c.Group, Logger: log, Registry: reg}), Topics: []string{source},
		Logger: log, Registry: reg,
	})
	manual := kgo.RecordPartitioner(kgo.ManualPartitioner())
	plain := c.Client(manual)
	packed := c.Client(manual, kgo.ProducerLinger(time.Second), kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ProducerBatchMaxBytes(4<<20))
	send := func(cl *kgo.Client, values ...string) {
		var records []*kgo.Record
		for _, v := range values {
			records = append(records, &kgo.Record{Topic: source, Value: []byte(v)})
		}
		if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	big := strings.Repeat("x", 300_000)
	send(plain, "good")
	send(packed, big, big, big)
	send(plain, "behind it")
	m := consume.New(consume.Params{
		Name: "ingest", Group: c.Group, Topics: []string{source}, Cluster: c.ID, PassOversized: []string{source},
		Options:        append(c.Options(), kgo.WithDecompressor(unpack.New(unpack.Limits{Batch: 500_000, Total: 64 << 20}))),
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
	reader := dlq.NewReader(c.Client(), c.Group)
	testkafka.Eventually(t, 20*time.Second, "both others have raised their alerts", func() bool {
		ends, err := c.Admin.ListEndOffsets(t.Context(), topics.Outbox(c.Group, "hook"))
		o, _ := ends.Lookup(topics.Outbox(c.Group, "hook"), 0)
		return err == nil && o.Offset == 2
	})
	testkafka.Eventually(t, 20*time.Second, "everything is committed", func() bool { return c.Lag(c.Group) == 0 })
	entries, err := reader.List(t.Context(), topics.TradeExecutions)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d dead letters, %v", len(entries), err)
	}
	e := entries[0]
	if e.Cause != outcome.BatchTooLarge || e.Envelope.Source.String() != source+"/0@1" || !e.Pointer || len(e.Envelope.Source.Value) != 0 ||
		!strings.Contains(e.Detail, "the batch with the offsets 1 to 3 takes more memory unpacked than kafka.window.bytes") {
		t.Errorf("%+v", e)
	}
	if !e.Again("", 3).Pointer || !dlq.Parse(e.Again("", 3).Encode("t")).Pointer {
		t.Error("its next version has forgotten that it has no value")
	}
}
