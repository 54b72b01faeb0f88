package dispatch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// denying refuses the channel for the deliveries whose ids begin with "bad".
func denying(m channel.Message, _ int) (channel.Receipt, error) {
	if strings.HasPrefix(m.Delivery, "bad") {
		return channel.Receipt{}, &outcome.Error{Cause: outcome.Credentials, Detail: "returned 403", Answered: true, MaybeMessage: true}
	}
	return channel.Receipt{}, nil
}

func TestRefusalOfOneMessageIsItsOwnFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.set(denying)
		b.put("bad", "A", critical)
		b.put("next", "A")
		for i := range 10 {
			b.put(fmt.Sprint("good", i), fmt.Sprint(i))
			synctest.Wait()
			if n := len(b.ch.ids()) - b.ch.times("bad"); n < i+1 {
				t.Fatalf("%d of %d others are sent at once", n, i+1)
			}
			pass(300 * time.Millisecond)
		}
		pass(10 * time.Second)
		if e := b.dead.all(); len(e) != 1 || e[0].ID != "bad" || e[0].Reason != outcome.Refused || e[0].Attempts != deniedAlone || !strings.Contains(e[0].Detail, "403") || b.left() != 0 {
			t.Errorf("dead letters %v, %d left", b.dead.ids(), b.left())
		}
	})
}

// TestWitnessesAreTriedBeforeAnErrorIsRaised: a message that is refused twice suspends
// the channel only if no other can be tried: neither one that waits for the rate
// limit behind it, nor one that arrives seconds later.
func TestWitnessesAreTriedBeforeAnErrorIsRaised(t *testing.T) {
	for name, c := range map[string]struct {
		pace   Pace
		after  time.Duration // when others come
		others int
	}{
		"limited rate":  {Pace{Rate: .1, Burst: 1}, 0, 5},
		"quiet traffic": {Pace{}, withoutWitness - time.Second, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(config *Config) { config.Pace = c.pace })
				defer b.close()
				said := b.logged()
				b.ch.set(denying)
				b.put("bad", "A", critical)
				pass(c.after)
				for i := range c.others {
					b.put(fmt.Sprint("good", i), fmt.Sprint(i))
				}
				for i := range 3 {
					pass(3 * time.Minute)
					b.put(fmt.Sprint("later", i), fmt.Sprint("later", i))
				}
				pass(time.Minute)
				if strings.Contains(said.String(), "level=ERROR") || !slices.Equal(b.dead.ids(), []string{"bad"}) || b.left() != 0 {
					t.Errorf("dead letters %v, %d left\n%s", b.dead.ids(), b.left(), said)
				}
			})
		})
	}
}

// TestRefusalOfTheOnlyMessageSuspends: nobody knows whose fault it is. With each
// other delivery that is accepted it becomes clearer.
func TestRefusalOfTheOnlyMessageSuspends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.set(denying)
		b.put("bad", "A", critical)
		pass(withoutWitness + time.Second)
		if s := b.state(); s != channel.Suspended || b.ch.times("bad") != 2 {
			t.Fatalf("it is %s after %d attempts", s, b.ch.times("bad"))
		}
		pass(time.Hour)
		if len(b.dead.ids()) != 0 {
			t.Fatal("a dead letter without a witness")
		}
		for i := range deniedAlone - 1 {
			b.put(fmt.Sprint("good", i), fmt.Sprint(i))
			pass(lastProbe + time.Minute)
		}
		if !slices.Equal(b.dead.ids(), []string{"bad"}) || b.left() != 0 || b.state() != channel.Healthy {
			t.Errorf("dead letters %v, %d left, %s", b.dead.ids(), b.left(), b.state())
		}
	})
}

// TestProbeIsNotTheDeliveryThatSuspended: the next best is, also where that one is
// critical.
func TestProbeIsNotTheDeliveryThatSuspended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		defer b.close()
		b.ch.set(func(m channel.Message, n int) (channel.Receipt, error) {
			time.Sleep(time.Second)
			return revoked(m, n)
		})
		b.put("cause", "A", critical)
		pass(time.Second)
		synctest.Wait()
		b.ch.set(nil)
		b.put("other", "B", func(a *alert.Alert) { a.Severity = alert.Info })
		pass(firstProbe)
		synctest.Wait()
		if got := b.ch.ids(); len(got) < 2 || got[1] != "other" {
			t.Errorf("sent %v", got)
		}
	})
}

// TestSuccessBegunBeforeFailureIsNoWitness: a token is revoked, or the provider goes
// down, while attempts are in flight. Those that still succeed say nothing about what
// failed meanwhile.
func TestSuccessBegunBeforeFailureIsNoWitness(t *testing.T) {
	for _, fault := range []error{
		&outcome.Error{Cause: outcome.Credentials, Detail: "returned 403", Answered: true, MaybeMessage: true},
		errDown,
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			defer b.close()
			b.ch.set(func(m channel.Message, n int) (channel.Receipt, error) {
				if m.Delivery == "slow" {
					time.Sleep(5 * time.Second)
					return channel.Receipt{}, nil
				}
				time.Sleep(time.Second)
				return channel.Receipt{}, fault
			})
			b.put("a", "A")
			b.put("b", "B")
			synctest.Wait()
			b.put("slow", "S")
			pass(3 * time.Hour)
			if dead := b.dead.ids(); len(dead) != 0 || b.left() != 2 || b.ch.times("a")+b.ch.times("b") < 6 {
				t.Errorf("%v: dead letters %v, %d left after %d attempts", fault, dead, b.left(), b.ch.times("a")+b.ch.times("b"))
			}
		})
	}
}

func TestRevokedTokenIsNoMessagesFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		for i := range 50 {
			b.put(fmt.Sprint("bad", i), fmt.Sprint(i))
		}
		synctest.Wait()
		b.ch.set(denying)
		b.put("bad", "last")
		pass(time.Hour)
		if n := len(b.ch.ids()); b.state() != channel.Suspended || len(b.dead.ids()) != 0 || n > 50+4+70 {
			t.Errorf("%s after %d attempts, dead letters %v", b.state(), n, b.dead.ids())
		}
		b.ch.set(nil)
		pass(lastProbe + time.Second)
		if b.left() != 0 || len(b.dead.ids()) != 0 {
			t.Errorf("%d left, dead letters %v", b.left(), b.dead.ids())
		}
	})
}
