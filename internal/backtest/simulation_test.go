package backtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/envelope"
)

// TestFirstIsSentAndOthersAreGathered: the first alert of a group at once, those within its
// window at the end of that, and none for a channel that is not simulated.
func TestFirstIsSentAndOthersAreGathered(t *testing.T) {
	config := dispatch.Config{Concurrency: 1, Partitions: 3, Timeout: time.Second, Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker()}
	asSlack(&config)
	var got []string
	begin := time.Date(2026, 11, 23, 14, 30, 0, 0, time.UTC)
	s := New(Params{
		Channels: map[string]Channel{"desk": {Config: config, Latency: 200 * time.Millisecond}}, Group: "g", Cluster: "c",
		OnMessage: func(m Message) {
			got = append(got, fmt.Sprintf("%s: %s tells %d of %v", m.At.Sub(begin), m.Title, m.Members, m.Rules))
		},
		OnDecision: func(r *deliverylog.Record) {
			got = append(got, fmt.Sprintf("%s: %s %s", r.Ended.Sub(begin), r.Event, r.Decision))
			if id := alert.NewID("g", alert.Source{Cluster: "c", Topic: "id", Offset: r.Event.Offset}, "rejected"); r.Alert != id {
				t.Errorf("the alert has the id %s, in the daemon %s", r.Alert, id)
			}
		},
	})
	for i := range 3 {
		at := begin.Add(time.Duration(i) * time.Second)
		a := &alert.Alert{
			Rule: "rejected", Severity: alert.Warning, Key: []string{"venue"}, EventTime: at, Title: alert.Text{{Text: fmt.Sprint("alert ", i)}}, Channels: []string{"desk", "other"},
		}
		s.Add(at, a, envelope.Source{Topic: "trades", TopicID: "id", Offset: int64(i), Time: at})
	}
	if n := s.Pending(); n != 2 {
		t.Errorf("%d deliveries wait, want the last two", n)
	}
	s.Finish(begin.Add(time.Minute))
	want := []string{
		"0s: alert 0 tells 1 of [rejected]", "200ms: trades/0@0 delivered",
		"30.2s: rejected venue: 3 alerts since 14:30:00 UTC, 2 new tells 2 of [rejected]", "30.4s: trades/0@1 digested", "30.4s: trades/0@2 digested",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if n := s.Pending(); n != 0 {
		t.Errorf("%d deliveries wait in the end", n)
	}
}
