package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

func severe(s alert.Severity, age time.Duration) func(*alert.Alert) {
	return func(a *alert.Alert) { a.Severity, a.EventTime = s, time.Now().Add(-age) }
}

// slow is a channel that takes one message a second.
func slow(c *Config) { c.Pace, c.Concurrency = Pace{Rate: 1, Burst: 1}, 1 }

func TestPacedChannelSendsMostUrgentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow)
		defer b.close()
		b.put("first", "0")
		b.put("info", "1", severe(alert.Info, time.Hour))
		b.put("warning", "2", severe(alert.Warning, time.Minute))
		b.put("older warning", "3", severe(alert.Warning, time.Hour))
		b.again("replay", "4", 1)
		b.put("critical", "5", severe(alert.Critical, 0))
		b.put("older critical", "6", severe(alert.Critical, time.Minute))
		pass(10 * time.Second)
		if got, want := b.ch.ids(), []string{"first", "older critical", "critical", "older warning", "warning", "info", "replay"}; !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
	})
}

func TestCriticalOvertakesThousandsThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow)
		defer b.close()
		for i := range 4000 {
			b.put(fmt.Sprint(i), fmt.Sprint("k", i), severe(alert.Warning, time.Hour))
		}
		pass(5*time.Second + 500*time.Millisecond)
		b.put("critical", "c", severe(alert.Critical, 0))
		pass(time.Second)
		if got := b.ch.ids(); got[len(got)-1] != "critical" {
			t.Errorf("sent last is %s", got[len(got)-1])
		}
	})
}

// The order within a key stays, and what is before a critical alert there is as
// urgent as it is.
func TestCriticalHurriesThoseBeforeItInItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow)
		defer b.close()
		b.put("first", "0")
		b.put("other", "1", severe(alert.Warning, time.Hour))
		b.put("before", "A", severe(alert.Info, 0))
		b.put("critical", "A", severe(alert.Critical, 0))
		b.put("behind", "A", severe(alert.Info, time.Hour))
		pass(10 * time.Second)
		if got, want := b.ch.ids(), []string{"first", "before", "critical", "other", "behind"}; !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
	})
}

func TestRevokeKeepsOtherPartitionsLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, slow)
		defer b.close()
		b.ch.set(down)
		b.put("waits", "0")
		synctest.Wait()
		other := &source{}
		b.join(other)
		for i := range 5 {
			b.add(other, b.delivery(fmt.Sprint("gone ", i), fmt.Sprint(i)))
		}
		<-b.leave(other)
		b.ch.set(nil)
		pass(time.Minute)
		if got := b.ch.ids(); got[len(got)-1] != "waits" || b.left() != 0 {
			t.Errorf("sent %q, %d left", got, b.left())
		}
	})
}

// The last token of a burst is for critical alerts, and one that comes to a lane which
// waits for the others does not wait with it.
func TestCriticalBehindAWaitingAlertTakesReservedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Pace = Pace{Rate: 0.1, Burst: 3} })
		defer b.close()
		for i, id := range []string{"first", "second", "waits"} {
			b.put(id, fmt.Sprint(i))
		}
		pass(time.Second)
		b.put("critical", "2", critical)
		pass(0)
		if got := b.ch.ids(); len(got) != 3 || got[2] != "waits" {
			t.Errorf("%q are sent at once", got)
		}
	})
}
