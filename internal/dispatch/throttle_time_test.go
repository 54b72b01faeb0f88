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
