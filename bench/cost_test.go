package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
)

// BenchmarkCost measures how the CPU time of an event, and of an alert, grows with one
// thing at a time. Each name is CHART/SERIES/VALUE; `yardstick -costs` draws the charts.
// What has no daemon in it recognises or matches events in this goroutine.
func BenchmarkCost(b *testing.B) {
	b.Run("rules", costOfRules)
	b.Run("size", costOfSize)
	b.Run("types", costOfTypes)
	b.Run("partitions", costOfPartitions)
	b.Run("backlog", costOfBacklog)
}

// report measures op as one point of a series: the least of three rounds, each of 100 ms of
// CPU time. Other users of the machine disturb it little.
func report(b *testing.B, series string, value any, op func()) {
	b.Run(fmt.Sprintf("%s/%v", series, value), func(b *testing.B) {
		const rounds, round = 3, 100 * time.Millisecond
		for range 10 {
			op()
		}
		least := 0.0
		for range rounds {
			began, n := processTime(), 0
			for step := 1; processTime()-began < round; step *= 2 {
				for range step {
					op()
				}
				n += step
			}
			if each := float64(processTime()-began) / float64(n); least == 0 || each < least {
				least = each
			}
		}
		reportEach(b, least)
	})
}

func reportEach(b *testing.B, nanoseconds float64) {
	b.ReportMetric(nanoseconds, "cpu-ns")
	b.ReportMetric(0, "ns/op")
}

// matcher is what ingest does with a record.
type matcher struct {
	b         *testing.B
	set       *rule.Set
	decoder   *event.Decoder
	prefilter *rule.Prefilter
	known     *rule.Resolved
}

func newMatcher(b *testing.B, rules []byte) *matcher {
	b.Helper()
	set, faults := rule.Compile("rules.yaml", rules, rule.Environment{})
	if len(faults.Errors()) > 0 {
		b.Fatal(faults)
	}
	d := event.NewDecoder(nil, set.Reads(), nil)
	return &matcher{b: b, set: set, decoder: d, prefilter: set.Prefilter(d), known: rule.NewResolved()}
}

// match returns the number of alerts of a record.
func (m *matcher) match(rec event.Record) int {
	if m.prefilter.Quiet(rec, rec.Arrived, m.known) {
		return 0
	}
	e, err := m.decoder.Decode(rec)
	if err != nil {
		m.b.Fatal(err)
	}
	alerts, err := m.set.MatchKnown(&e, rec.Arrived, m.known)
	if err != nil {
		m.b.Fatal(err)
	}
	return len(alerts)
}

func record(topic topics.Name, value []byte) event.Record {
	return event.Record{Topic: string(topic), Value: value, Time: time.Now(), Arrived: time.Now()}
}

// manyRules returns a file with n rules for trade executions, of which the last one
// matches rejected orders.
func manyRules(n int, when func(i int) string) []byte {
	file := "version: 1\nrules:\n"
	for i := range n - 1 {
		file += fmt.Sprintf("  - {name: r%d, topic: trade-executions, to: [desk], title: t, when: %q}\n", i, when(i))
	}
	return []byte(file + "  - {name: last, topic: trade-executions, to: [desk], title: t, when: 'event.event_type == \"order.rejected\"'}\n")
}

func costOfRules(b *testing.B) {
	quiet, loud := record(topics.TradeExecutions, document("order.accepted", 1)), record(topics.TradeExecutions, document("order.rejected", 1))
	for series, when := range map[string]func(int) string{
		"looked-up": func(i int) string {
			return fmt.Sprintf(`event.event_type in ["order.a%d", "order.b%d"] and event.slippage_bps > 5`, i, i)
		},
		"compared": func(i int) string { return fmt.Sprintf(`event.slippage_bps > %d`, i+10) },
	} {
		for _, n := range []int{1, 10, 100, 1000} {
			m := newMatcher(b, manyRules(n, when))
			report(b, "quiet-"+series, n, func() { m.match(quiet) })
			report(b, "alert-"+series, n, func() { m.match(loud) })
		}
	}
}

// sized returns a document of about so many bytes.
func sized(kind string, n, size int) []byte {
	const leg = `{"symbol":"AAPL","side":"buy","qty":"100","price":187.41,"venue":"XNAS"}`
	doc := document(kind, n)
	legs := max(0, size-len(doc)) / (len(leg) + 1)
	if legs == 0 {
		return doc
	}
	return append(append(append(doc[:len(doc)-1], `,"legs":[`...), strings.TrimSuffix(strings.Repeat(leg+",", legs), ",")...), "]}"...)
}

func costOfSize(b *testing.B) {
	sizes := []int{350, 1000, 4000, 16_000, 64_000, 250_000, 1_000_000}
	m := newMatcher(b, configs.Rules)
	for _, size := range sizes {
		quiet := record(topics.TradeExecutions, sized("order.accepted", 1, size))
		report(b, "quiet", size, func() { m.match(quiet) })
	}
	for _, size := range sizes {
		b.Run(fmt.Sprintf("alert/%d", size), func(b *testing.B) {
			n := min(10_000, 100_000_000/size)
			d := newDesk(b)
			d.produce(n, func(i int) []byte { return sized("order.rejected", i, size) })
			reportEach(b, d.cost(n, n))
		})
	}
}

// costOfTypes measures each sample with the default rules, as the second event of its kind: what its alerts resolve is known.
func costOfTypes(b *testing.B) {
	m := newMatcher(b, configs.Rules)
	for _, s := range configs.Samples() {
		var value bytes.Buffer
		if err := json.Compact(&value, s.Data); err != nil {
			b.Fatal(err)
		}
		rec := record(s.Topic, value.Bytes())
		m.match(rec)
		series := "quiet"
		if m.match(rec) > 0 {
			series = "alert"
		}
		report(b, series, s.Name, func() { m.match(rec) })
	}
}

func costOfPartitions(b *testing.B) {
	const n = 300_000
	for _, partitions := range []int32{1, 6, 24, 96} {
		b.Run(fmt.Sprintf("quiet/%d", partitions), func(b *testing.B) {
			d := newDeskOf(b, partitions, configs.Rules)
			d.fill(n, 0)
			reportEach(b, d.cost(n, 0))
		})
	}
}

func costOfBacklog(b *testing.B) {
	for _, n := range []int{1000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("quiet/%d", n), func(b *testing.B) {
			d := newDesk(b)
			d.fill(n, 0)
			reportEach(b, d.cost(n, 0))
		})
		b.Run(fmt.Sprintf("alert/%d", n), func(b *testing.B) {
			if n > 100_000 && testing.Short() {
				b.Skip("takes minutes")
			}
			d := newDesk(b)
			d.fill(n, 1)
			reportEach(b, d.cost(n, n))
		})
	}
}

// produce writes n events.
func (d *desk) produce(n int, value func(i int) []byte) {
	cl := d.client(kgo.MaxBufferedBytes(64<<20), kgo.ProducerBatchMaxBytes(1<<20))
	for i := range n {
		cl.Produce(d.b.Context(), &kgo.Record{Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, i%5000), Value: value(i)}, nil)
	}
	if err := cl.Flush(d.b.Context()); err != nil {
		d.b.Fatal(err)
	}
}

// cost returns the CPU time per event of a daemon that works through n events with so
// many alerts, in nanoseconds. Its start and the channel, which does nothing, are included.
func (d *desk) cost(n, alerts int) float64 {
	s := &sink{}
	began := processTime()
	e := d.run(s, 16)
	wait := func(every time.Duration, done func() bool) {
		for deadline := time.Now().Add(time.Hour); !done(); time.Sleep(every) {
			if time.Now().After(deadline) {
				d.b.Fatal("it does not finish within an hour")
			}
		}
	}
	wait(10*time.Millisecond, func() bool { return int(s.got.Load()) >= alerts })
	wait(200*time.Millisecond, func() bool { return e.handled.records() >= n }) // reading the metrics costs something
	took := processTime() - began
	e.stop()
	return float64(took) / float64(n)
}
