package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

// when gives an alert a throttle, and an event at a time.
func when(at time.Time, throttle time.Duration) func(*alert.Alert) {
	return func(a *alert.Alert) { a.EventTime, a.Throttle = at, throttle }
}

// TestLateChannelDoesNotReopenThrottle: events one minute apart are that, though the
// channel sends one in ten minutes.
func TestLateChannelDoesNotReopenThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency, c.Pace = 1, Pace{Rate: 1.0 / 600} })
		defer b.close()
		began := time.Now()
		for i := range 12 {
			b.put(fmt.Sprint("other", i), fmt.Sprint("O", i), when(began.Add(time.Duration(i)*time.Minute), 0))
			b.put(fmt.Sprint(i), "A", when(began.Add(time.Duration(i)*time.Minute), 5*time.Minute))
		}
		pass(24 * time.Hour)
		got := slices.DeleteFunc(b.ch.ids(), func(id string) bool { return len(id) > 2 })
		if !slices.Equal(got, []string{"0", "5", "10"}) || b.left() != 0 {
			t.Errorf("sent %v, %d left", got, b.left())
		}
		for _, s := range b.ch.all() {
			if s.id == "5" && (s.m.Suppressed != 4 || !s.m.SuppressedSince.Equal(began.Add(time.Minute))) {
				t.Errorf("it tells %d since %s", s.m.Suppressed, s.m.SuppressedSince.Sub(began))
			}
		}
	})
}

func TestThrottleComparesEventTimes(t *testing.T) {
	const throttle = 5 * time.Minute
	now := time.Now()
	for name, tc := range map[string]struct {
		told       []time.Duration // events, relative to now
		event      time.Duration
		suppressed bool
	}{
		"newer, within":                        {told: []time.Duration{0}, event: throttle - 1, suppressed: true},
		"newer, beyond":                        {told: []time.Duration{0}, event: throttle},
		"older, within":                        {told: []time.Duration{0}, event: 1 - throttle, suppressed: true},
		"older, beyond":                        {told: []time.Duration{0}, event: -throttle},
		"near to an older one told last":       {told: []time.Duration{0, -time.Hour}, event: -time.Hour + time.Minute, suppressed: true},
		"near to the newest, an older between": {told: []time.Duration{0, -time.Hour}, event: time.Minute, suppressed: true},
		"near to neither":                      {told: []time.Duration{0, -time.Hour}, event: -30 * time.Minute},
	} {
		var ts throttles
		for i, event := range tc.told {
			a := throttledBy(throttle, "A")
			a.EventTime = now.Add(event)
			ts.sent(a, fmt.Sprint(i), "", at(int64(i)), now)
		}
		a := throttledBy(throttle, "A")
		a.EventTime = now.Add(tc.event)
		if got := ts.suppress(a, "next", at(10)); got != tc.suppressed {
			t.Errorf("%s: suppressed %v", name, got)
		}
	}
}

// TestThrottleCountsEachAlertOnce: one that is read again was counted.
func TestThrottleCountsEachAlertOnce(t *testing.T) {
	var ts throttles
	a := throttledBy(time.Hour, "A")
	other := place{topic: "outbox-id", partition: 1, offset: 2}
	ts.sent(a, "told", "", at(5), time.Now())
	for _, p := range []place{at(6), at(7), at(6), at(7), other, other, at(8), {topic: "recreated", offset: 1}} {
		if !ts.suppress(a, "next", p) {
			t.Fatalf("%v is sent", p)
		}
	}
	if n, _ := ts.suppressed(a); n != 5 {
		t.Errorf("%d are counted, want 5", n)
	}
}

// TestThrottleIsKeptWhileAlertsNearItWait: there are hours to them in a channel that is behind.
func TestThrottleIsKeptWhileAlertsNearItWait(t *testing.T) {
	now := time.Now()
	a := throttledBy(time.Minute, "A")
	a.EventTime = now
	waits := now.Add(30 * time.Second)
	ts := throttles{oldest: func() time.Time { return waits }}
	ts.sent(a, "told", "", at(0), now)
	ts.sweep(now.Add(time.Hour))
	if !ts.suppress(a, "next", at(1)) {
		t.Fatal("it is forgotten")
	}
	waits = now.Add(2 * time.Minute)
	ts.sent(a, "told", "", at(2), now)
	if ts.sweep(now.Add(time.Hour)); len(ts.byKey) != 0 {
		t.Error("it has run out, and is kept")
	}
}

// TestStatusForecastsThrottledAlerts: of those that wait, it is known which will be sent.
func TestStatusForecastsThrottledAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency, c.Pace = 1, Pace{Rate: 1.0 / 60} })
		defer b.close()
		began := time.Now()
		for i := range 12 {
			for _, key := range []string{"A", "B"} {
				b.put(fmt.Sprint(key, i), key, when(began.Add(time.Duration(i)*time.Minute), 5*time.Minute))
			}
			b.put(fmt.Sprint("plain", i), "C")
		}
		for !t.Failed() {
			synctest.Wait()
			s, sent := b.Status(), len(b.ch.ids())
			if s.Pending == 0 {
				break
			}
			if want := 2*3 + 12 - sent; s.Pending-s.Throttled != want || s.Rate != 1.0/60 {
				t.Errorf("%d of %d will be throttled, after %d sent; want %d to be sent, at %v", s.Throttled, s.Pending, sent, want, s.Rate)
			}
			time.Sleep(time.Minute)
		}
	})
}

// TestThrottledAlertIsNotSentWhenReadAgain, though the last message is no longer near to it.
func TestThrottledAlertIsNotSentWhenReadAgain(t *testing.T) {
	var ts throttles
	now := time.Now()
	event := func(after time.Duration) *alert.Alert {
		a := throttledBy(time.Minute, "A")
		a.EventTime = now.Add(after)
		return a
	}
	ts.sent(event(0), "first", "", at(1), now)
	ts.suppress(event(time.Second), "counted", at(2))
	ts.sent(event(time.Hour), "second", "", at(3), now)
	if !ts.suppress(event(time.Second), "counted", at(2)) {
		t.Error("it is sent")
	}
	if ts.suppress(event(time.Second), "late", at(4)) {
		t.Error("one that is read for the first time is not sent")
	}
	if n, _ := ts.suppressed(event(0)); n != 0 {
		t.Errorf("%d are counted", n)
	}
}
