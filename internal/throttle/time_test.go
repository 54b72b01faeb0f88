package throttle

import (
	"fmt"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

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
		var ts Set
		for i, event := range tc.told {
			a := throttledBy(throttle, "A")
			a.EventTime = now.Add(event)
			ts.Sent(a, fmt.Sprint(i), "", at(int64(i)), now)
		}
		a := throttledBy(throttle, "A")
		a.EventTime = now.Add(tc.event)
		if got := ts.Suppress(a, "next", at(10)); got != tc.suppressed {
			t.Errorf("%s: suppressed %v", name, got)
		}
	}
}

// TestThrottleCountsEachAlertOnce: one that is read again was counted.
func TestThrottleCountsEachAlertOnce(t *testing.T) {
	var ts Set
	a := throttledBy(time.Hour, "A")
	other := Place{Topic: "outbox-id", Partition: 1, Offset: 2}
	ts.Sent(a, "told", "", at(5), time.Now())
	for _, p := range []Place{at(6), at(7), at(6), at(7), other, other, at(8), {Topic: "recreated", Offset: 1}} {
		if !ts.Suppress(a, "next", p) {
			t.Fatalf("%v is sent", p)
		}
	}
	if n, _ := ts.Suppressed(a); n != 5 {
		t.Errorf("%d are counted, want 5", n)
	}
}

// TestThrottleIsKeptWhileAlertsNearItWait: there are hours to them in a channel that is behind.
func TestThrottleIsKeptWhileAlertsNearItWait(t *testing.T) {
	now := time.Now()
	a := throttledBy(time.Minute, "A")
	a.EventTime = now
	waits := now.Add(30 * time.Second)
	ts := Set{Oldest: func() time.Time { return waits }}
	ts.Sent(a, "told", "", at(0), now)
	ts.Sweep(now.Add(time.Hour))
	if !ts.Suppress(a, "next", at(1)) {
		t.Fatal("it is forgotten")
	}
	waits = now.Add(2 * time.Minute)
	ts.Sent(a, "told", "", at(2), now)
	if ts.Sweep(now.Add(time.Hour)); len(ts.byKey) != 0 {
		t.Error("it has run out, and is kept")
	}
}

// TestThrottledAlertIsNotSentWhenReadAgain, though the last message is no longer near to it.
func TestThrottledAlertIsNotSentWhenReadAgain(t *testing.T) {
	var ts Set
	now := time.Now()
	event := func(after time.Duration) *alert.Alert {
		a := throttledBy(time.Minute, "A")
		a.EventTime = now.Add(after)
		return a
	}
	ts.Sent(event(0), "first", "", at(1), now)
	ts.Suppress(event(time.Second), "counted", at(2))
	ts.Sent(event(time.Hour), "second", "", at(3), now)
	if !ts.Suppress(event(time.Second), "counted", at(2)) {
		t.Error("it is sent")
	}
	if ts.Suppress(event(time.Second), "late", at(4)) {
		t.Error("one that is read for the first time is not sent")
	}
	if n, _ := ts.Suppressed(event(0)); n != 0 {
		t.Errorf("%d are counted", n)
	}
}
