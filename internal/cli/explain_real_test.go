//go:build real

package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// BenchmarkExplainRecord explains one record behind 10,000 others, with a delivery log of
// 20,000 deliveries since and 10,000 throttles in the state topic. The bound is 300 ms.
func BenchmarkExplainRecord(b *testing.B) {
	c := testkafka.Start(b, []kafka.Channel{{Name: "hook", Partitions: 1}})
	dir := files(b, c, "  hook: {webhook: {url: 'https://hook.example.com'}, partitions: 1}\n", explainedRules)
	value := fmt.Appendf(nil, `{"type":"fill","account":"A1","notional":"60000","occurred_at":%q}`, time.Now().UTC().Format(time.RFC3339))
	var records []*kgo.Record
	for range 10_000 {
		records = append(records, &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("A1"), Value: value})
	}
	c.Produce(records...)
	last := records[len(records)-1]
	place := fmt.Sprintf("%s/%d@%d", last.Topic, last.Partition, last.Offset)
	records = records[:0]
	for i := range 20_000 {
		id := fmt.Sprintf("al_%026d", i)
		d := deliverylog.New(&envelope.Envelope{
			Delivery: alert.NewDelivery(id, "hook"), Channel: "hook", Source: envelope.Source{Topic: "trade-executions", Offset: int64(i)},
			Alert: &alert.Alert{ID: id, Rule: "large", Severity: alert.Warning, Key: []string{"A1"}, EventTime: time.Now(), Title: alert.Text{{Text: strings.Repeat("x", 200)}}},
		})
		d.Decision, d.Ended, d.Received = deliverylog.Delivered, time.Now(), time.Now()
		text, err := json.Marshal(d)
		if err != nil {
			b.Fatal(err)
		}
		records = append(records, &kgo.Record{Topic: topics.Deliveries(c.Group), Key: []byte(id), Value: text})
	}
	for i := range 10_000 {
		records = append(records, &kgo.Record{
			Topic: topics.State(c.Group), Key: fmt.Appendf(nil, "throttle/hook/%032x", i), Value: []byte(`{"delivery":"dl_x","told":"2026-11-23T14:31:05Z","newest":"2026-11-23T14:31:05Z","throttle_ns":3600000000000,"severity":"warning","outbox_id":"x","through":[[0,1]],"by":"x"}`),
			Headers: []kgo.RecordHeader{{Key: "notifier.version", Value: []byte("1")}},
		})
	}
	c.Produce(records...)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		clitest.Main(Run).On(b, c, "-c", dir+"/notifier.yaml", "rules", "explain", place).Want(b, base.ExitDone, "large fires", "would be sent")
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "max-ms")
}
