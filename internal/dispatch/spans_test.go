package dispatch

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/obs/tracing/tracingtest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/throttle"
)

// trace has a bench make spans; what it returns ends the bench and returns
// the spans.
func (b *bench) trace() (end func() []tracingtest.Span) {
	b.t.Helper()
	c := tracingtest.Start(b.t)
	cfg := tracing.Config{Ratio: 1}
	if err := cfg.SetEndpoint(c.URL); err != nil {
		b.t.Fatal(err)
	}
	b.p.Tracer = tracing.New(tracing.Params{Config: cfg, Logger: slog.New(slog.DiscardHandler)})
	return func() []tracingtest.Span {
		b.close()
		b.p.Tracer.Close()
		return c.Spans()
	}
}

const outboxSpan = "process notification-service.outbox.desk"

func TestMessageSpanLinksThrottledAlerts(t *testing.T) {
	b := newBench(t, nil)
	end := b.trace()
	throttledBy := func(s alert.Severity) func(*alert.Alert) {
		return func(a *alert.Alert) { a.Throttle, a.Severity = time.Hour, s }
	}
	sent := func(n int) {
		testkafka.Eventually(t, 10*time.Second, fmt.Sprint(n, " are sent"), func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.proof > 0 && len(b.ch.ids()) == n && b.busy == 0
		})
	}
	b.put("1", "A", throttledBy(alert.Info))
	sent(1)
	const n = 40 // more than are linked
	for i := range n {
		b.put(fmt.Sprint("throttled-", i), "A", throttledBy(alert.Info))
	}
	b.put("2", "A", throttledBy(alert.Warning))
	sent(2)
	b.put("3", "A", throttledBy(alert.Critical))
	sent(3)
	list := end()
	var throttled []string
	for _, s := range list {
		if s.Attributes["notifier.outcome"] == "throttled" {
			throttled = append(throttled, s.Trace+"/"+s.ID)
			if len(s.Links) > 0 || s.Error != "" {
				t.Errorf("%+v", s)
			}
		}
	}
	if len(throttled) != n {
		t.Errorf("%d spans were throttled, want %d", len(throttled), n)
	}
	if got := tracingtest.Find(t, list, outboxSpan, "notifier.delivery", "2").Links; !slices.Equal(got, throttled[:throttle.MaxLinks]) {
		t.Errorf("the next message links to %v", got)
	}
	for _, id := range []string{"1", "3"} {
		if got := tracingtest.Find(t, list, outboxSpan, "notifier.delivery", id).Links; len(got) > 0 {
			t.Errorf("%s links to %v, and speaks for none", id, got)
		}
	}
}

func TestHandedOverDeliveryEndsItsSpan(t *testing.T) {
	b := newBench(t, nil)
	end := b.trace()
	b.ch.set(func(channel.Message, int) (channel.Receipt, error) {
		return channel.Receipt{}, outcome.Errorf(outcome.Unreachable, "down")
	})
	b.put("tried", "A")
	testkafka.Eventually(t, 10*time.Second, "it was tried and waits", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.lanes.backoffs.Len() == 1
	})
	b.put("waiting", "A")
	<-b.leave(b.src)
	list := end()
	if s := tracingtest.Find(t, list, outboxSpan); s.Attributes["notifier.outcome"] != "abandoned" || s.Attributes["notifier.delivery"] != "tried" {
		t.Errorf("%+v", s)
	}
	if s := tracingtest.Find(t, list, "attempt desk"); s.Error != "unreachable" || s.Attributes["notifier.result"] != "transient" {
		t.Errorf("%+v", s)
	}
}

func TestAMovedAlertGoesOnInItsTrace(t *testing.T) {
	b, shelf := newMoveBench(t)
	end := b.trace()
	const before = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	b.ch.set(down401)
	b.wait("suspends", "A", 1, func(e *envelope.Envelope) { e.Trace = before })
	testkafka.Eventually(t, 10*time.Second, "the channel is suspended", func() bool { return b.Status().State == "suspended" })
	b.wait("waits", "B", 2, func(e *envelope.Envelope) { e.Trace = before })
	b.Move(moveBelow(10, "mail"))
	testkafka.Eventually(t, 10*time.Second, "both are moved", func() bool { return len(shelf.rules()) == 2 })
	list := end()
	for _, e := range shelf.taken {
		s := tracingtest.Find(t, list, outboxSpan, "notifier.rule", e.Alert.Rule)
		if want := "00-" + s.Trace + "-" + s.ID + "-01"; e.Trace != want || s.Parent != before[36:52] || s.Attributes["notifier.outcome"] != "rerouted" {
			t.Errorf("%s continues as %s, its span is %+v", e.Alert.Rule, e.Trace, s)
		}
	}
}
