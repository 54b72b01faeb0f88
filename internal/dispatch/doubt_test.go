package dispatch

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// TestDoubtfulDeliveryIsNotProbedEachSecond: what may have been delivered has its
// own backoff, which grows to minutes, whatever else the breaker or a suspension
// wants to try. A refused connection is probed each second.
func TestDoubtfulDeliveryIsNotProbedEachSecond(t *testing.T) {
	for name, c := range map[string]struct {
		err         error
		least, most int // attempts in ten minutes
	}{
		"reset":           {outcome.Errorf(outcome.Reset, "after the body"), 9, 13},
		"not Slack's 200": {&outcome.Error{Cause: outcome.Misconfigured, MaybeDelivered: true}, 9, 13},
		"refused":         {outcome.Errorf(outcome.Unreachable, "connection refused"), 500, 610},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				defer b.close()
				b.ch.answer = func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, c.err }
				b.put("a", "A")
				pass(10 * time.Minute)
				sends := b.ch.all()
				if n := len(sends); n < c.least || n > c.most {
					t.Fatalf("%d attempts in ten minutes, want %d to %d", n, c.least, c.most)
				}
				if name != "refused" {
					for i, s := range sends[1:] {
						if !s.m.MayBeDuplicate {
							t.Errorf("attempt %d is not marked", i+2)
						}
					}
				}
				b.put("b", "B")
				pass(2 * time.Minute)
				if n := b.ch.times("b"); n == 0 {
					t.Error("no other delivery is tried meanwhile")
				}
				b.ch.set(nil)
				b.put("c", "C")
				pass(lastProbe + time.Second)
				if b.left() != 0 || b.state() != "healthy" {
					t.Errorf("a minute after the channel works: %d left, %s", b.left(), b.state())
				}
			})
		})
	}
}
