package bench

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// deadLetters writes n entries of five causes, as a webhook that refuses and
// records that cannot be read leave them.
func (d *desk) deadLetters(n int) {
	w := dlq.NewWriter(dlq.WriterParams{Client: d.client(append(kafka.DeadLetterOptions(kafka.MaxMessageBytes(d.shapes)), kgo.MaxBufferedRecords(100_000))...), Group: group, Logger: d.log})
	now := time.Now().Truncate(time.Millisecond)
	batch := make([]*dlq.Entry, 0, 5000)
	for i := range n {
		src := alert.Source{Cluster: d.cluster, Topic: "AAAAAAAAAAAAAAAAAAAAAA", Partition: int32(i % 6), Offset: int64(i)}
		e := &dlq.Entry{
			Envelope: &envelope.Envelope{Source: envelope.Source{
				Topic: string(topics.TradeExecutions), TopicID: src.Topic, Partition: src.Partition, Offset: src.Offset,
				Time: now, Key: fmt.Appendf(nil, "ses-%04d", i%5000), Value: document("order.rejected", i),
			}},
			Reason: outcome.Undecodable, Scope: outcome.Message, Cause: outcome.Truncated, Detail: fmt.Sprintf("not JSON at byte %d (truncated)", i%400),
			Attempts: 1, FirstFailed: now, LastFailed: now, State: dlq.Open,
		}
		e.ID = alert.NewEntry(group, src)
		if i%5 != 0 {
			a := &alert.Alert{
				Rule: fmt.Sprintf("rule-%d", i%5), Severity: alert.Warning, Key: []string{fmt.Sprint("ACC-", i), "R103"},
				Title:     alert.Text{{Text: "Rejected: "}, {Text: "AAPL", Value: true}, {Text: " "}, {Text: "buy", Value: true}, {Text: " "}, {Text: "200", Value: true}},
				Fields:    []alert.Field{{Label: "strategy_id", Value: alert.Text{{Text: "mean-rev-7", Value: true}}}, {Label: "order", Value: alert.Text{{Text: fmt.Sprint("ord-", i), Value: true}}}},
				EventTime: now, EventType: "order.rejected", EventID: fmt.Sprint("01KAQ2C7VY3E8M5Z", i), Topic: string(topics.TradeExecutions), Throttle: 5 * time.Minute,
			}
			a.ID = alert.NewID(group, src, a.Rule)
			e.Envelope.Alert, e.Envelope.Channel, e.Envelope.Delivery = a, "risk-hook", alert.NewDelivery(a.ID, "risk-hook")
			e.ID, e.Reason, e.Cause, e.Detail = e.Envelope.Delivery, outcome.Refused, outcome.PayloadRefused, fmt.Sprintf("HTTP 422 (order %d)", i)
		}
		if batch = append(batch, e); len(batch) == cap(batch) || i == n-1 {
			if err := w.Write(d.b.Context(), batch...); err != nil {
				d.b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// peak watches how much memory the process holds until stop is called.
func peak() (stop func() float64) {
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapInuse+m.StackInuse))
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return func() float64 {
		close(done)
		<-ended
		return float64(most.Load()) / (1 << 20)
	}
}

// BenchmarkDeadLetterList reads a million dead letters, the newest first.
func BenchmarkDeadLetterList(b *testing.B) {
	const n, page = 1_000_000, 50
	d := newDesk(b)
	d.deadLetters(n)
	r := dlq.NewReader(d.client(), group)
	stop := peak()
	began, cpu := time.Now(), processTime()
	var first time.Duration
	got := 0
	if err := r.Each(b.Context(), dlq.Query{Brief: true}, func(*dlq.Entry) bool {
		if got++; got == page {
			first = time.Since(began)
		}
		return true
	}); err != nil {
		b.Fatal(err)
	}
	if got != n {
		b.Fatalf("%d entries", got)
	}
	b.ReportMetric(first.Seconds(), "first-page-s")
	b.ReportMetric(time.Since(began).Seconds(), "all-s")
	b.ReportMetric((processTime() - cpu).Seconds(), "cpu-s")
	b.ReportMetric(stop(), "MiB")
}

// BenchmarkDeadLetterIndex is what the owner of the replay partition does when
// it gets it: it reads a million dead letters, and holds the index.
func BenchmarkDeadLetterIndex(b *testing.B) {
	const n = 1_000_000
	d := newDesk(b)
	d.deadLetters(n)
	x := dlq.NewIndex(group, dlq.NewReader(d.client(), group), d.client(dlq.TailOptions()...), d.log)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, cpu := time.Now(), processTime()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.Run(ctx)
	}()
	<-x.Ready()
	took, used := time.Since(began), processTime()-cpu
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(took.Seconds(), "s")
	b.ReportMetric(used.Seconds(), "cpu-s")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/entry")
	cancel()
	<-done
}

// BenchmarkDeadLetterStats groups a million dead letters by what went wrong.
func BenchmarkDeadLetterStats(b *testing.B) {
	const n = 1_000_000
	d := newDesk(b)
	d.deadLetters(n)
	r := dlq.NewReader(d.client(), group)
	stop := peak()
	began, cpu := time.Now(), processTime()
	var stats dlq.Stats
	if err := r.Each(b.Context(), dlq.Query{Brief: true}, func(e *dlq.Entry) bool {
		stats.Add(e)
		return true
	}); err != nil {
		b.Fatal(err)
	}
	if groups := stats.Groups(); stats.Count != n || len(groups) != 5 {
		b.Fatalf("%d entries in %d groups", stats.Count, len(groups))
	}
	b.ReportMetric(time.Since(began).Seconds(), "s")
	b.ReportMetric((processTime() - cpu).Seconds(), "cpu-s")
	b.ReportMetric(stop(), "MiB")
}
