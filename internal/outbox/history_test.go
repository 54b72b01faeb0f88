package outbox_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestHistoryTellsWhatOutboxHoldsAndLost: the deliveries of records that were handled
// when it was written are not among them, since they were never sent.
func TestHistoryTellsWhatOutboxHoldsAndLost(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	topic := topics.Outbox(c.Group, "hook")
	begun := time.Now()
	write := func(delivery string, from, done int64) {
		t.Helper()
		e := &envelope.Envelope{
			Source: envelope.Source{Topic: string(topics.TradeExecutions), Value: []byte("{}"), Offset: from, Time: begun},
			Alert:  &alert.Alert{Rule: "r", Severity: alert.Warning}, Delivery: delivery, Channel: "hook",
			From: offsets.Origin{Input: offsets.Input{Topic: "id"}, From: offsets.Position{Offset: from}, Done: offsets.Position{Offset: done}, Delivery: delivery},
		}
		c.Produce(outbox.Record(e, topic, 1))
	}
	write("dl_0", 0, 0)
	write("dl_9", 9, 5)
	write("dl_4", 4, 0) // of a record below 5, which was handled
	look := func(h *outbox.History, delivery string, at time.Time) string {
		t.Helper()
		holds, held, err := h.Look(t.Context(), "hook", delivery, at)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("holds: %v, held: %v", holds, held)
	}
	history := func() *outbox.History {
		return outbox.NewHistory(dlq.NewReader(c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())), c.Group), slog.New(slog.DiscardHandler))
	}
	h := history()
	for delivery, want := range map[string]string{"dl_0": "holds: true, held: false", "dl_9": "holds: true, held: false", "dl_4": "holds: false, held: false", "dl_7": "holds: false, held: false"} {
		if got := look(h, delivery, begun); got != want {
			t.Errorf("%s: %s, want %s", delivery, got, want)
		}
	}
	if got := look(h, "dl_0", time.Time{}); got != "holds: true, held: false" {
		t.Errorf("a record without a time: %s", got)
	}
	var gone kadm.Offsets
	gone.Add(kadm.Offset{Topic: topic, Partition: 0, At: 1, LeaderEpoch: -1})
	if _, err := c.Admin.DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	h = history()
	for delivery, want := range map[string]string{"dl_0": "holds: false, held: true", "dl_9": "holds: true, held: false"} {
		if got := look(h, delivery, begun); got != want {
			t.Errorf("after records were deleted, %s: %s, want %s", delivery, got, want)
		}
	}
	if got := look(h, "dl_0", time.Now().Add(time.Minute)); got != "holds: false, held: false" {
		t.Errorf("of a later record: %s", got)
	}
}
