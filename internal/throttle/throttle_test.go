package throttle

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
)

func throttledBy(d time.Duration, key ...string) *alert.Alert {
	return &alert.Alert{Rule: "r", Severity: alert.Warning, Key: key, Throttle: d, EventTime: time.Now()}
}

// at is a place in the only partition of an outbox.
func at(offset int64) Place { return Place{Topic: "outbox-id", Offset: offset} }

// number writes keys as producers might: long ones.
func number(i int) string { return fmt.Sprint(i, strings.Repeat("k", 500)) }

func TestThrottlesAreBoundedAndTheOldestIsEvicted(t *testing.T) {
	evicted := 0
	ts := Set{Evicted: func() { evicted++ }}
	now := time.Now()
	for i := range Max {
		ts.Sent(throttledBy(time.Hour, number(i)), "told", "", at(0), now)
		now = now.Add(time.Millisecond)
	}
	ts.Sent(throttledBy(time.Hour, number(0)), "told", "", at(0), now) // opened again: the youngest
	if evicted != 0 || len(ts.byKey) != Max {
		t.Fatalf("%d evicted, %d kept", evicted, len(ts.byKey))
	}
	for i := range 10 {
		ts.Sent(throttledBy(time.Hour, "more", number(i)), "told", "", at(0), now)
	}
	if evicted != 10 || len(ts.byKey) != Max || ts.order.Len() != Max {
		t.Fatalf("%d evicted, %d kept, %d in order", evicted, len(ts.byKey), ts.order.Len())
	}
	for i := range 20 {
		want := i == 0 || i > 10
		if got := ts.Suppress(throttledBy(time.Hour, number(i)), "next", at(1)); got != want {
			t.Errorf("key %d is suppressed: %v, want %v", i, got, want)
		}
	}
}

func TestThrottleTakesFewBytesPerKey(t *testing.T) {
	const most = 400
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var ts Set
	now := time.Now()
	for i := range Max {
		a := throttledBy(time.Hour, number(i))
		ts.Sent(a, "told", "", at(0), now)
		for range 2 * MaxLinks {
			ts.Suppress(a, "next", at(1))
			ts.Link(a, strings.Clone("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
			if ts.links == maxAllLinks {
				break
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / Max
	t.Logf("%.0f bytes a key", each)
	if each > most {
		t.Errorf("%.0f bytes a key, want at most %d", each, most)
	}
	runtime.KeepAlive(&ts)
}

func TestThrottleLinksAreBounded(t *testing.T) {
	var ts Set
	now := time.Now()
	for i := range 1000 {
		a := throttledBy(time.Hour, fmt.Sprint(i))
		ts.Sent(a, "told", "", at(0), now)
		for range 2 * MaxLinks {
			ts.Link(a, "trace")
		}
	}
	first, last := throttledBy(time.Hour, "0"), throttledBy(time.Hour, "999")
	if n := len(ts.Traces(&envelope.Envelope{Alert: first})); n != MaxLinks || ts.links != maxAllLinks {
		t.Errorf("%d links of a key, %d of all", n, ts.links)
	}
	ts.Sent(first, "told", "", at(0), now) // which speaks for them
	if ts.Link(last, "trace"); len(ts.Traces(&envelope.Envelope{Alert: last})) != 1 {
		t.Error("a link that was told makes no room for another")
	}
}

func TestThrottleThatRanOutIsForgotten(t *testing.T) {
	evicted := 0
	ts := Set{Evicted: func() { evicted++ }}
	now := time.Now()
	tells := throttledBy(time.Second, "tells")
	ts.Sent(tells, "told", "", at(0), now)
	ts.Suppress(tells, "next", at(1))
	for i := range 3 * Max {
		ts.Sent(throttledBy(time.Second, fmt.Sprint(i)), "told", "", at(0), now)
		now = now.Add(time.Millisecond) // so that a thousand are open
		if len(ts.byKey) > 2*sweepAfter {
			t.Fatalf("%d are kept", len(ts.byKey))
		}
	}
	if n, _ := ts.Suppressed(tells); evicted != 0 || n != 1 {
		t.Errorf("%d evicted; the next message tells %d, want 1", evicted, n)
	}
}

// TestThrottleKeysAreTuples: a part may hold whatever separates parts elsewhere.
func TestThrottleKeysAreTuples(t *testing.T) {
	seen := make(map[Key][]string)
	for _, key := range [][]string{nil, {""}, {"", ""}, {"a", "b"}, {"ab"}, {"a\x00b"}, {"a/b"}, {"a", "", "b"}, {"\x01a", "b"}, {"\x01a\x01b"}} {
		id := KeyOf(throttledBy(time.Hour, key...))
		if other, known := seen[id]; known {
			t.Errorf("%q and %q are one key", key, other)
		}
		seen[id] = key
	}
	if KeyOf(&alert.Alert{Rule: "ra", Key: []string{"b"}}) == KeyOf(&alert.Alert{Rule: "r", Key: []string{"ab"}}) {
		t.Error("a rule and a key run together")
	}
}

func BenchmarkThrottle(b *testing.B) {
	var ts Set
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a := throttledBy(time.Hour, "ACC-1007", fmt.Sprint(i))
		if !ts.Suppress(a, "next", at(1)) {
			ts.Sent(a, "told", "", at(0), now)
		}
	}
}
