package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
)

// loudEvery is which of the events of a load raises an alert: 0.5 % do.
const loudEvery = 200

// BenchmarkSteady is the CPU time and memory of a daemon at a steady rate of events of the
// shipped types, 0.5 % of which raise an alert, for a channel that does
// nothing: what docs/performance.md says about sizing. With BENCH_KAFKA it is that of a real
// Kafka.
func BenchmarkSteady(b *testing.B) {
	for _, rate := range []int{0, 50, 500, 5000, 50_000} {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			const rest = 20 * time.Second
			d := newDesk(b)
			s := &sink{}
			e := d.run(s, 16)
			if rate > 0 {
				_, stop := startChild(b, fmt.Sprintf("%s=%s %d", loadOf, d.config.Brokers[0], rate))
				defer stop()
			}
			time.Sleep(10 * time.Second)
			before, sent, cpu, began := e.handled.records(), s.got.Load(), processTime(), time.Now()
			time.Sleep(rest)
			took := time.Since(began).Seconds()
			b.ReportMetric(float64(processTime()-cpu)/1e6/took, "cpu-ms/s")
			b.ReportMetric(float64(e.handled.records()-before)/took, "records/s")
			b.ReportMetric(float64(s.got.Load()-sent)/took, "alerts/s")
			b.ReportMetric(rss(b), "RSS-MiB")
			b.ReportMetric(0, "ns/op")
			e.stop()
		})
	}
}

// rss returns the resident memory of this process in MiB.
func rss(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	var kilobytes float64
	if _, err := fmt.Sscan(after, &kilobytes); err != nil {
		b.Fatal(err)
	}
	return kilobytes / 1024
}

// produceLoad produces events at a rate until standard input ends.
func produceLoad(of string) error {
	var addr string
	var rate int
	if _, err := fmt.Sscan(of, &addr, &rate); err != nil {
		return err
	}
	quiet, err := quietSamples()
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	for i, began := 0, time.Now(); ctx.Err() == nil; i++ {
		if due := time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))); due > time.Millisecond {
			time.Sleep(due)
		}
		r := quiet[i%len(quiet)]
		rec := &kgo.Record{Topic: r.Topic, Key: fmt.Append(nil, i%5000), Value: r.Value}
		if i%loudEvery == 0 {
			rec.Topic, rec.Value = string(topics.TradeExecutions), document("order.rejected", i)
		}
		cl.Produce(ctx, rec, nil)
	}
	return nil
}

// quietSamples returns the samples that raise no alert.
func quietSamples() ([]event.Record, error) {
	set, faults := rule.Compile("rules.yaml", configs.Rules, rule.Environment{})
	if len(faults.Errors()) > 0 {
		return nil, fmt.Errorf("%v", faults)
	}
	var quiet []event.Record
	for _, s := range configs.Samples() {
		var value bytes.Buffer
		if err := json.Compact(&value, s.Data); err != nil {
			return nil, err
		}
		rec := record(s.Topic, value.Bytes())
		e, err := event.NewDecoder(nil, set.Reads(), nil).Decode(rec)
		if err != nil {
			return nil, err
		}
		known := rule.NewResolved()
		for range 2 { // the first may raise what resolves
			alerts, err := set.MatchKnown(&e, rec.Arrived, known)
			if err != nil {
				return nil, err
			}
			if len(alerts) == 0 {
				quiet = append(quiet, rec)
				break
			}
		}
	}
	return quiet, nil
}
