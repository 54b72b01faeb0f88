package bench

import (
	"bytes"
	"encoding/json"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/topics"
)

// BenchmarkRelative measures the steps of the usual paths in units of what json.Valid takes
// for an event of 350 bytes. The ratio is nearly the same on a quiet and on a busy machine:
// `make bench-check` compares it.
func BenchmarkRelative(b *testing.B) {
	m := newMatcher(b, configs.Rules)
	quiet, loud := record(topics.TradeExecutions, document("order.accepted", 1)), record(topics.TradeExecutions, document("order.rejected", 1))
	var snapshot bytes.Buffer
	for _, s := range configs.Samples(topics.PortfolioUpdates) {
		if s.Name == "portfolio.snapshot" {
			if err := json.Compact(&snapshot, s.Data); err != nil {
				b.Fatal(err)
			}
		}
	}
	account := record(topics.PortfolioUpdates, snapshot.Bytes())
	m.match(account) // raises what resolves its alerts
	e, err := m.decoder.Decode(loud)
	if err != nil {
		b.Fatal(err)
	}
	alerts, err := m.set.Match(&e, loud.Arrived)
	if err != nil || len(alerts) != 1 {
		b.Fatalf("%d alerts, %v", len(alerts), err)
	}
	alerts[0].ID = "al_2rsxkcbd6wb7o3e4l5h6j7k2mn"
	at, input := offsets.Position{Epoch: 1, Offset: 123456}, offsets.Input{Topic: "AAAAAAAAAAAAAAAAAAAAAQ", Partition: 3}
	wrapped := &envelope.Envelope{
		Source: envelope.Source{Topic: loud.Topic, TopicID: input.Topic, Partition: 3, Offset: at.Offset, Time: loud.Time, Key: []byte("s12"), Value: loud.Value},
		Alert:  &alerts[0], Delivery: "dl_2rsxkcbd6wb7o3e4l5h6j7k2mn", Channel: "desk",
		From: offsets.Origin{Input: input, From: at, Done: at, Delivery: "dl_2rsxkcbd6wb7o3e4l5h6j7k2mn"},
	}
	for _, path := range []struct {
		name string
		step func()
	}{
		{"quiet-event", func() { m.match(quiet) }},
		{"quiet-account", func() { m.match(account) }},
		{"alert", func() { m.match(loud) }},
		{"envelope", func() {
			if _, _, err := envelope.Parse(envelope.Wrap(wrapped)); err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(path.name, func(b *testing.B) {
			b.ReportMetric(relative(path.step, func() { json.Valid(quiet.Value) }), "x-json.Valid")
			b.ReportMetric(testing.AllocsPerRun(1000, path.step), "allocs")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// relative returns the CPU time of step in units of that of unit. Both run in turn, many
// times: a tenth of the runs was faster than what is compared. Other work on the machine
// only makes runs slower, of both alike. The garbage collector does not run meanwhile, so
// that allocations count with what they cost themselves.
func relative(step, unit func()) float64 {
	const comparisons, slice = 300, time.Millisecond
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	few := func(f func()) int { // how many take a slice
		for n := 1; ; n *= 2 {
			if took := repeat(f, n); took > slice {
				return max(1, int(int64(n)*int64(slice)/int64(took)))
			}
		}
	}
	n, units := few(step), few(unit)
	steps, unitsTook := make([]time.Duration, comparisons), make([]time.Duration, comparisons)
	for i := range comparisons {
		if i%50 == 0 {
			runtime.GC()
		}
		steps[i], unitsTook[i] = repeat(step, n), repeat(unit, units)
	}
	slices.Sort(steps)
	slices.Sort(unitsTook)
	return float64(steps[comparisons/10]) / float64(n) / (float64(unitsTook[comparisons/10]) / float64(units))
}

// repeat returns the CPU time of n calls in this thread.
func repeat(f func(), n int) time.Duration {
	began := threadTime()
	for range n {
		f()
	}
	return threadTime() - began
}

func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
