package outbox

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
)

// An alert key is a rule's, so all of its alerts must share a partition: a warning
// of a rule that can also raise a critical alert lies where that one would.
func TestSingleOwnersOutboxIsWrittenBySeverity(t *testing.T) {
	for _, c := range []struct {
		severity, worst alert.Severity
		partitions      [4]int32 // in outboxes of so many partitions, from 1
	}{
		{alert.Critical, alert.Critical, [4]int32{0, 0, 0, 0}},
		{alert.Warning, alert.Critical, [4]int32{0, 0, 0, 0}},
		{alert.Info, alert.Critical, [4]int32{0, 0, 0, 0}},
		{alert.Warning, alert.Warning, [4]int32{0, 1, 1, 1}},
		{alert.Info, alert.Warning, [4]int32{0, 1, 1, 1}},
		{alert.Info, alert.Info, [4]int32{0, 1, 2, 2}},
		{alert.Info, "", [4]int32{0, 0, 0, 0}}, // of an older version
		{alert.Info, "unknown", [4]int32{0, 0, 0, 0}},
		{alert.Critical, alert.Info, [4]int32{0, 0, 0, 0}}, // forged
	} {
		for i, want := range c.partitions {
			p := New(Params{
				Broker: &fake{count: int32(i) + 1}, Group: "g", Channels: []string{"hook"}, Logger: slog.New(slog.DiscardHandler),
				SingleOwner: func(channel string) bool { return channel == "hook" },
			})
			if err := p.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			for n := range 20 {
				w := p.Send(new(Sequence), &envelope.Envelope{
					Alert: &alert.Alert{Rule: "r", Key: []string{fmt.Sprint(n)}, Severity: c.severity, WorstSeverity: c.worst, Throttle: time.Minute}, Channel: "hook",
					Source: envelope.Source{Topic: "t", Key: fmt.Append(nil, n), Time: time.Unix(1, 0)},
				})
				if w.Record.Partition != want {
					t.Fatalf("%s of at worst %q lies in partition %d of %d, want %d", c.severity, c.worst, w.Record.Partition, i+1, want)
				}
			}
		}
	}
}
