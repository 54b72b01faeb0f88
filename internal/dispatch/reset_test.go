package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

func revoked(channel.Message, int) (channel.Receipt, error) {
	return channel.Receipt{}, outcome.Errorf(outcome.Credentials, "token_revoked")
}

func (b *bench) state() string { return b.Status().State }

// TestAResetTriesALatchedChannelAtOnce: with one alert, whatever comes of it;
// what fails is latched again, what succeeds lets the rest go.
func TestAResetTriesALatchedChannelAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.set(revoked)
		for _, id := range []string{"a", "b", "c", "d"} {
			b.put(id, id)
		}
		time.Sleep(10 * time.Second)
		tries := len(b.ch.ids())
		if b.state() != "latched" {
			t.Fatalf("it is %s", b.state())
		}
		for i := range 3 { // still revoked: one try for each, and no more until the next
			b.Reset("ann@host")
			time.Sleep(2 * time.Second)
			if n := len(b.ch.ids()); n != tries+i+1 || b.state() != "latched" {
				t.Errorf("after %d resets %d tries more, it is %s", i+1, n-tries, b.state())
			}
		}
		b.ch.set(nil)
		time.Sleep(time.Second)
		if b.left() != 4 {
			t.Fatalf("%d wait: nobody has asked", b.left())
		}
		b.Reset("ann@host")
		synctest.Wait()
		if b.left() != 0 || b.state() != "closed" {
			t.Errorf("%d wait, it is %s", b.left(), b.state())
		}
		if n := len(b.dead.ids()); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// TestAResetOfAnOpenBreakerIsOneTry: and the breaker opens again at its first
// failure, where a new one would need five.
func TestAResetOfAnOpenBreakerIsOneTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Breaker.Open = time.Hour })
		defer b.close()
		b.ch.set(down)
		for _, id := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			b.put(id, id)
		}
		time.Sleep(time.Minute)
		tries := len(b.ch.ids())
		if b.state() != "open" {
			t.Fatalf("it is %s", b.state())
		}
		b.Reset("ann@host")
		time.Sleep(time.Minute)
		if n := len(b.ch.ids()); n != tries+1 || b.state() != "open" {
			t.Errorf("%d tries after a reset, it is %s", n-tries, b.state())
		}
		began := time.Now()
		b.ch.set(nil)
		b.Reset("ann@host")
		synctest.Wait()
		if b.left() != 0 || b.state() != "closed" || time.Since(began) > time.Second {
			t.Errorf("%d wait, it is %s, after %s", b.left(), b.state(), time.Since(began))
		}
		// It is a breaker as before.
		b.ch.set(down)
		b.put("h", "h")
		time.Sleep(500 * time.Millisecond)
		if b.state() != "closed" {
			t.Errorf("it is %s after one failure", b.state())
		}
	})
}

// TestAResetSparesAnAttemptUnderWay: the probe waits for it, and what it meets,
// begun before, is not the probe's result.
func TestAResetSparesAnAttemptUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Breaker.Open = time.Hour; c.Concurrency = 8 })
		defer b.close()
		b.ch.set(func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Delivery == "slow" && n == 1 {
				time.Sleep(10 * time.Second)
			}
			return channel.Receipt{}, errDown
		})
		for _, id := range []string{"slow", "a", "b", "c", "d", "e", "f"} {
			b.put(id, id)
		}
		time.Sleep(5 * time.Second)
		tries := len(b.ch.ids())
		b.Reset("ann@host")
		time.Sleep(time.Second)
		if n := len(b.ch.ids()); n != tries || b.state() != "half_open" {
			t.Errorf("%d tries beside the one under way, it is %s", n-tries, b.state())
		}
		time.Sleep(10 * time.Second)
		if n := len(b.ch.ids()); n != tries+1 || b.state() != "open" {
			t.Errorf("%d tries after it, it is %s", n-tries, b.state())
		}
	})
}

func TestAResetCountsRefusalsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.set(func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, errRefused })
		for i := range defectAfter - 1 {
			b.put(string(rune('a'+i)), "k")
		}
		synctest.Wait()
		b.Reset("ann@host")
		b.put("one more", "k")
		synctest.Wait()
		if b.state() != "closed" || len(b.dead.ids()) != defectAfter {
			t.Errorf("it is %s, with %d dead letters", b.state(), len(b.dead.ids()))
		}
	})
}

// TestAResetLeavesWhatWorksAndWhatTheProviderAsked alone.
func TestAResetLeavesWhatWorksAndWhatTheProviderAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.Reset("ann@host")
		b.Reset("ann@host")
		if b.state() != "closed" {
			t.Errorf("it is %s", b.state())
		}
		b.ch.set(func(m channel.Message, n int) (channel.Receipt, error) {
			if n == 1 {
				return channel.Receipt{}, &outcome.Error{Cause: outcome.RateLimited, RetryAfter: time.Minute, Answered: true}
			}
			return channel.Receipt{}, nil
		})
		b.put("a", "a")
		time.Sleep(time.Second)
		b.Reset("ann@host")
		time.Sleep(50 * time.Second)
		if got := b.ch.ids(); !slices.Equal(got, []string{"a"}) {
			t.Errorf("sent %v: the provider asked for a minute", got)
		}
		time.Sleep(10 * time.Second)
		if b.left() != 0 {
			t.Errorf("%d left", b.left())
		}
	})
}

// TestResetsWhileItIsTriedAreAnsweredByThatTry: however many are in the topic,
// the provider gets one attempt at a time.
func TestResetsWhileItIsTriedAreAnsweredByThatTry(t *testing.T) {
	for name, answer := range map[string]func(channel.Message, int) (channel.Receipt, error){"latched": revoked, "open": down} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Breaker.Open, c.Concurrency = time.Hour, 100 })
			defer b.close()
			b.ch.set(answer)
			for i := range 50 {
				b.put(fmt.Sprint(i), fmt.Sprint(i))
			}
			time.Sleep(10 * time.Second)
			tries := len(b.ch.ids())
			b.ch.set(func(m channel.Message, n int) (channel.Receipt, error) {
				time.Sleep(time.Second)
				return answer(m, n)
			})
			for range 10_000 {
				b.Reset("eve")
			}
			time.Sleep(500 * time.Millisecond)
			b.Reset("eve")
			time.Sleep(10 * time.Second)
			if n := len(b.ch.ids()) - tries; n != 1 {
				t.Errorf("%s: %d attempts", name, n)
			}
		})
	}
}
