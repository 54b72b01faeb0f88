package dispatch

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/throttle"
)

// TestThrottleOfKeyInSeveralGroups: what is gathered is told although a later alert of its
// key, in another group, was told meanwhile.
func TestThrottleOfKeyInSeveralGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		in := func(g string) func(*alert.Alert) {
			return func(a *alert.Alert) { a.Group, a.Throttle = []string{g}, 5*time.Second }
		}
		b.put("first", "other account", in("closed"))
		b.put("gathered", "account", in("closed"))
		pass(10 * time.Second)
		b.put("told", "account", in("margin"))
		pass(time.Minute)
		if got := b.ch.ids(); !slices.Equal(got, []string{"first", "told", "gathered"}) || b.left() != 0 {
			t.Errorf("sent %v, %d left", got, b.left())
		}
	})
}

// TestOwnersOfOneKeyAgree: its alerts lie in two partitions, which two processes own.
func TestOwnersOfOneKeyAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := &stateTopic{hold: make(chan struct{})}
		a, b := topic.process(t, 0, nil), topic.process(t, 0, nil)
		b.src.input = offsets.Input{Partition: 1}
		a.put("0", "A", hour)
		b.put("1", "A", hour)
		synctest.Wait()
		close(topic.hold)
		pass(time.Second)
		if n := len(topic.log); n > 6 {
			t.Fatalf("%d records", n)
		}
		for _, o := range []*bench{a, b} {
			o.put("counted", "A", hour)
			pass(2 * saveEvery)
		}
		if n := len(topic.log); n > 12 || len(a.ch.ids())+len(b.ch.ids()) != 2 {
			t.Errorf("%d records, sent %v and %v", n, a.ch.ids(), b.ch.ids())
		}
	})
}

// TestEvictedThrottleOnlyAddsMessages: the alert is sent, and the metric says so.
func TestEvictedThrottleOnlyAddsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewPedanticRegistry()
		m := NewMetrics(reg)
		ch := &scripted{}
		o := New(Params{
			Name: "desk", Channel: ch, Config: testConfig(), Uncommitted: 64, Dead: &deadLetters{}, Metrics: m,
			Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		b := &bench{Dispatcher: o, ch: ch, src: &source{}, t: t}
		b.join(b.src)
		defer b.close()
		hour := func(a *alert.Alert) { a.Throttle = time.Hour }
		b.put("first", "A", hour)
		synctest.Wait()
		b.put("counted", "A", hour)
		synctest.Wait()
		b.mu.Lock()
		for i := range throttle.Max {
			a := alert.Alert{Rule: "r", Severity: alert.Warning, Key: []string{fmt.Sprint(i)}, Throttle: time.Hour, EventTime: time.Now()}
			b.throttles.Sent(&a, "told", "", throttle.Place{Topic: "outbox-id"}, time.Now())
		}
		b.mu.Unlock()
		b.put("sent", "A", hour)
		synctest.Wait()
		if got := fmt.Sprint(ch.ids()); got != "[first sent]" || b.left() != 0 {
			t.Errorf("sent %s, %d left", got, b.left())
		}
		if n := testutil.ToFloat64(m.evictions.WithLabelValues("desk")); n != 2 { // A, and the oldest for A again
			t.Errorf("the metric says %v", n)
		}
	})
}
