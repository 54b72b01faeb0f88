package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/envelope"
)

// unused is a channel that nothing is sent to.
type unused struct{}

// Send implements channel.Channel.
func (unused) Send(context.Context, channel.Message) (channel.Receipt, error) {
	panic("sent while suspended")
}

// BenchmarkSuspendedArrival is one alert more for a suspended channel for which
// 25,000 of other keys are pending.
func BenchmarkSuspendedArrival(b *testing.B) {
	o := New(Params{Name: "desk", Channel: unused{}, Config: testConfig(), Uncommitted: 64, Dead: &deadLetters{}, Logger: slog.New(slog.DiscardHandler)})
	defer func() { _ = o.Close() }()
	o.gate.suspend(time.Now(), "revoked")
	o.gate.probes.next = time.Now().Add(time.Hour)
	s := &source{}
	o.join(s)
	arrive := func(i int) {
		o.add(s, &delivery{laneKey: fmt.Append(nil, i), envelope: &envelope.Envelope{Delivery: fmt.Sprint(i), Alert: &alert.Alert{Rule: "r", Severity: alert.Warning}}})
	}
	for i := range 25_000 {
		arrive(i)
	}
	i := 25_000
	for b.Loop() {
		arrive(i)
		i++
	}
}

// BenchmarkAttempt is starting one attempt and using a stack as deep as that of a
// request.
func BenchmarkAttempt(b *testing.B) {
	g, done := &Goroutines{}, make(chan byte)
	defer g.Wait()
	work := Work{Do: func() { done <- deep(8) }}
	b.ReportAllocs()
	for b.Loop() {
		g.Go(work)
		<-done
	}
}

//go:noinline
func deep(n int) byte {
	var frame [1 << 10]byte
	if n == 0 {
		return frame[n]
	}
	frame[n] = deep(n - 1)
	return frame[n] + frame[0]
}
