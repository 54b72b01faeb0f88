package dispatch

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
)

func throttledBy(d time.Duration, key ...string) *alert.Alert {
	return &alert.Alert{Rule: "r", Severity: alert.Warning, Key: key, Throttle: d, EventTime: time.Now()}
}

// at is a place in the only partition of an outbox.
func at(offset int64) place { return place{topic: "outbox-id", offset: offset} }

// number writes keys as producers might: long ones.
func number(i int) string { return fmt.Sprint(i, strings.Repeat("k", 500)) }

func TestThrottlesAreBoundedAndTheOldestIsEvicted(t *testing.T) {
	evicted := 0
	ts := throttles{evicted: func() { evicted++ }}
	now := time.Now()
	for i := range maxThrottles {
		ts.sent(throttledBy(time.Hour, number(i)), "told", "", at(0), now)
		now = now.Add(time.Millisecond)
	}
	ts.sent(throttledBy(time.Hour, number(0)), "told", "", at(0), now) // opened again: the youngest
	if evicted != 0 || len(ts.byKey) != maxThrottles {
		t.Fatalf("%d evicted, %d kept", evicted, len(ts.byKey))
	}
	for i := range 10 {
		ts.sent(throttledBy(time.Hour, "more", number(i)), "told", "", at(0), now)
	}
	if evicted != 10 || len(ts.byKey) != maxThrottles || ts.order.Len() != maxThrottles {
		t.Fatalf("%d evicted, %d kept, %d in order", evicted, len(ts.byKey), ts.order.Len())
	}
	for i := range 20 {
		want := i == 0 || i > 10
		if got := ts.suppress(throttledBy(time.Hour, number(i)), "next", at(1)); got != want {
			t.Errorf("key %d is suppressed: %v, want %v", i, got, want)
		}
	}
}

func TestThrottleTakesFewBytesPerKey(t *testing.T) {
	const most = 400
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var ts throttles
	now := time.Now()
	for i := range maxThrottles {
		a := throttledBy(time.Hour, number(i))
		ts.sent(a, "told", "", at(0), now)
		for range 2 * maxLinks {
			ts.suppress(a, "next", at(1))
			ts.link(a, strings.Clone("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
			if ts.links == maxAllLinks {
				break
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / maxThrottles
	t.Logf("%.0f bytes a key", each)
	if each > most {
		t.Errorf("%.0f bytes a key, want at most %d", each, most)
	}
	runtime.KeepAlive(&ts)
}

func TestThrottleLinksAreBounded(t *testing.T) {
	var ts throttles
	now := time.Now()
	for i := range 1000 {
		a := throttledBy(time.Hour, fmt.Sprint(i))
		ts.sent(a, "told", "", at(0), now)
		for range 2 * maxLinks {
			ts.link(a, "trace")
		}
	}
	first, last := throttledBy(time.Hour, "0"), throttledBy(time.Hour, "999")
	if n := len(ts.traces(&envelope.Envelope{Alert: first})); n != maxLinks || ts.links != maxAllLinks {
		t.Errorf("%d links of a key, %d of all", n, ts.links)
	}
	ts.sent(first, "told", "", at(0), now) // which speaks for them
	if ts.link(last, "trace"); len(ts.traces(&envelope.Envelope{Alert: last})) != 1 {
		t.Error("a link that was told makes no room for another")
	}
}

func TestThrottleThatRanOutIsForgotten(t *testing.T) {
	evicted := 0
	ts := throttles{evicted: func() { evicted++ }}
	now := time.Now()
	tells := throttledBy(time.Second, "tells")
	ts.sent(tells, "told", "", at(0), now)
	ts.suppress(tells, "next", at(1))
	for i := range 3 * maxThrottles {
		ts.sent(throttledBy(time.Second, fmt.Sprint(i)), "told", "", at(0), now)
		now = now.Add(time.Millisecond) // so that a thousand are open
		if len(ts.byKey) > 2*sweepAfter {
			t.Fatalf("%d are kept", len(ts.byKey))
		}
	}
	if n, _ := ts.suppressed(tells); evicted != 0 || n != 1 {
		t.Errorf("%d evicted; the next message tells %d, want 1", evicted, n)
	}
}

// TestThrottleKeysAreTuples: a part may hold whatever separates parts elsewhere.
func TestThrottleKeysAreTuples(t *testing.T) {
	seen := make(map[throttleKey][]string)
	for _, key := range [][]string{nil, {""}, {"", ""}, {"a", "b"}, {"ab"}, {"a\x00b"}, {"a/b"}, {"a", "", "b"}, {"\x01a", "b"}, {"\x01a\x01b"}} {
		id := keyOf(throttledBy(time.Hour, key...))
		if other, known := seen[id]; known {
			t.Errorf("%q and %q are one key", key, other)
		}
		seen[id] = key
	}
	if keyOf(&alert.Alert{Rule: "ra", Key: []string{"b"}}) == keyOf(&alert.Alert{Rule: "r", Key: []string{"ab"}}) {
		t.Error("a rule and a key run together")
	}
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
		for i := range maxThrottles {
			b.throttles.sent(throttledBy(time.Hour, fmt.Sprint(i)), "told", "", at(0), time.Now())
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

func BenchmarkThrottle(b *testing.B) {
	var ts throttles
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a := throttledBy(time.Hour, "ACC-1007", fmt.Sprint(i))
		if !ts.suppress(a, "next", at(1)) {
			ts.sent(a, "told", "", at(0), now)
		}
	}
}
