package dispatch

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/offsets"
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
