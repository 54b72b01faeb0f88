package backtest

import (
	"fmt"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/envelope"
)

// BenchmarkAdd is an alert, one every 10 ms, for a channel as on Slack: of 1,000 keys with a
// throttle, so that most are suppressed; of one group without, so that all are gathered; and
// of a channel for machines, which is told each.
func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name   string
		change func(*alert.Alert, int)
		config func(*dispatch.Config)
	}{
		{"throttled", func(a *alert.Alert, i int) { a.Throttle, a.Key = 5*time.Minute, []string{fmt.Sprint(i % 1000)} }, asSlack},
		{"gathered", func(a *alert.Alert, i int) { a.Group = []string{"venue"} }, asSlack},
		{"sent", func(*alert.Alert, int) {}, func(*dispatch.Config) {}},
	} {
		b.Run(c.name, func(b *testing.B) {
			config := dispatch.Config{Concurrency: 4, Partitions: 3, Timeout: time.Second, Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker()}
			c.config(&config)
			messages := 0
			s := New(Params{Channels: map[string]Channel{"desk": {Config: config}}, OnMessage: func(Message) { messages++ }})
			at, value := time.Date(2026, 11, 23, 14, 30, 0, 0, time.UTC), make([]byte, 600)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				at = at.Add(10 * time.Millisecond)
				a := &alert.Alert{
					Rule: "order-rejected", Severity: alert.Warning, WorstSeverity: alert.Warning, Key: []string{"k"}, EventTime: at, Topic: "trade-executions",
					Title: alert.Text{{Text: "Rejected: "}, {Text: "NVDA buy 400", Value: true}}, Channels: []string{"desk"},
				}
				c.change(a, i)
				s.Add(at, a, envelope.Source{Topic: "trade-executions", TopicID: "t", Offset: int64(i), Time: at, Key: []byte("s"), Value: value})
			}
			s.Finish(at.Add(time.Hour))
			if messages == 0 {
				b.Error("nothing was sent")
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}

func asSlack(c *dispatch.Config) {
	c.Pace, c.Digest = dispatch.Pace{Rate: 1, Burst: 3}, digest.Setting{On: true}
}
