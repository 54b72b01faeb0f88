package dispatch

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

var errGrey = &outcome.Error{Cause: outcome.Greylisted, Detail: "450 4.7.1", RetryAfter: 5 * time.Minute}

// deferring defers one of two recipients, until the time is over.
func deferring(until time.Time) func(channel.Message, int) (channel.Receipt, error) {
	return func(m channel.Message, _ int) (channel.Receipt, error) {
		switch {
		case !time.Now().Before(until):
			return channel.Receipt{}, nil
		case m.Recipients != nil:
			return channel.Receipt{}, errGrey
		}
		return channel.Receipt{Deferred: []channel.Refusal{{Recipient: "slow@x", Err: errGrey}}}, nil
	}
}

// TestKeyDoesNotWaitForADeferredRecipient: once somebody has the mail the next of
// its key is sent. The deferred recipient gets them later, in order.
func TestKeyDoesNotWaitForADeferredRecipient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		defer b.close()
		b.ch.set(deferring(time.Now().Add(20 * time.Minute)))
		for _, id := range []string{"1", "2", "3"} {
			b.put(id, "A")
		}
		synctest.Wait()
		if got := b.ch.ids(); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Fatalf("sent at once: %v", got)
		}
		pass(19 * time.Minute)
		b.put("4", "A")
		synctest.Wait()
		if got := b.ch.ids(); got[len(got)-1] != "4" {
			t.Fatalf("sent %v", got)
		}
		began := len(b.ch.ids())
		pass(6 * time.Minute)
		var last []string
		for _, s := range b.ch.all()[began:] {
			if !slices.Equal(s.m.Recipients, []string{"slow@x"}) {
				t.Errorf("%s is sent to %v again", s.id, s.m.Recipients)
			}
			last = append(last, s.id)
		}
		if !slices.Equal(last, []string{"1", "2", "3", "4"}) || b.left() != 0 || len(b.lanes.byKey) != 0 || len(b.dead.ids()) != 0 {
			t.Errorf("then sent %v, %d left in %d lanes, dead letters %v", last, b.left(), len(b.lanes.byKey), b.dead.ids())
		}
	})
}

func TestDeferredRecipientIsGivenUpAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.set(deferring(time.Now().Add(24 * time.Hour)))
		for _, id := range []string{"1", "2"} {
			b.put(id, "A")
		}
		pass(90 * time.Minute)
		for _, e := range b.dead.all() {
			if e.Reason != outcome.Exhausted || !slices.Equal(e.Recipients, []string{"slow@x"}) {
				t.Errorf("%s: %s for %v", e.ID, e.Reason, e.Recipients)
			}
		}
		if !slices.Equal(b.dead.ids(), []string{"1", "2"}) || b.left() != 0 {
			t.Errorf("dead letters %v, %d left", b.dead.ids(), b.left())
		}
	})
}

// TestDeadLetterNamesRecipientsThatLackIt: also where the server refused no single one.
func TestDeadLetterNamesRecipientsThatLackIt(t *testing.T) {
	for name, e := range map[string]*outcome.Error{"greylisting": errGrey, "unreachable": outcome.Errorf(outcome.Unreachable, "refused")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				defer b.close()
				said := b.logged()
				b.ch.set(func(m channel.Message, _ int) (channel.Receipt, error) {
					if m.Delivery == "1" {
						return channel.Receipt{Lacking: []string{"a@x", "b@x"}}, e
					}
					return channel.Receipt{}, nil
				})
				b.put("1", "A")
				for range 10 {
					pass(7 * time.Minute)
					b.put("other", "B")
				}
				pass(10 * time.Minute)
				all := b.dead.all()
				if len(all) != 1 || all[0].Reason != outcome.Exhausted || !slices.Equal(all[0].Recipients, []string{"a@x", "b@x"}) {
					t.Errorf("dead letters %+v", all)
				}
				if !strings.Contains(said.String(), "recipients=a@x,b@x") {
					t.Errorf("the log names none:\n%s", said)
				}
			})
		})
	}
}

// TestThrottleHoldsWhileARecipientIsDeferred: what somebody has throttles the next
// of its key, and not itself, not even after a rebalance.
func TestThrottleHoldsWhileARecipientIsDeferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.set(deferring(time.Now().Add(4 * time.Minute)))
		hour := func(a *alert.Alert) { a.Throttle = time.Hour }
		b.put("1", "A", hour)
		b.put("2", "A", hour)
		synctest.Wait()
		if got := b.ch.ids(); !slices.Equal(got, []string{"1"}) {
			t.Fatalf("sent %v", got)
		}
		<-b.leave(b.src)
		b.src = &source{}
		b.join(b.src)
		b.put("1", "A", hour)
		b.put("2", "A", hour)
		pass(6 * time.Minute)
		if got := b.ch.ids(); !slices.Equal(got, []string{"1", "1", "1"}) || b.left() != 0 {
			t.Errorf("sent %v, %d left", got, b.left())
		}
	})
}
