package dispatch

import (
	"fmt"
	"slices"
	"sync"
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

// TestSuspendedChannelIsProbedOnSchedule: after 5, 10, 20 and 40 s, then every
// 60 s, with one delivery each; a success sends the rest, and the next
// suspension begins at 5 s again.
func TestSuspendedChannelIsProbedOnSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		defer b.close()
		var sent []time.Time
		b.ch.set(func(m channel.Message, n int) (channel.Receipt, error) {
			sent = append(sent, time.Now())
			return revoked(m, n)
		})
		waits := func() []int {
			synctest.Wait()
			var seconds []int
			for i := 1; i < len(sent); i++ {
				seconds = append(seconds, int(sent[i].Sub(sent[i-1]).Seconds()))
			}
			return seconds
		}
		for i := range 4 {
			b.put(fmt.Sprint(i), fmt.Sprint(i))
		}
		time.Sleep(5 * time.Minute)
		if want := []int{5, 10, 20, 40, 60, 60, 60}; !slices.Equal(waits(), want) || b.left() != 4 || len(b.dead.ids()) != 0 {
			t.Fatalf("probed after %v s, want %v; %d left", waits(), want, b.left())
		}
		b.ch.set(nil)
		time.Sleep(lastProbe)
		if b.left() != 0 || b.state() != "healthy" {
			t.Fatalf("%d left, it is %s", b.left(), b.state())
		}
		synctest.Wait()
		sent = nil
		b.ch.set(func(m channel.Message, n int) (channel.Receipt, error) {
			sent = append(sent, time.Now())
			return revoked(m, n)
		})
		b.put("next", "next")
		time.Sleep(20 * time.Second)
		if want := []int{5, 10}; !slices.Equal(waits(), want) {
			t.Errorf("probed after %v s, want %v", waits(), want)
		}
	})
}

// TestSlowProbeIsTheOnlyAttempt: the wait for the next counts from its end.
func TestSlowProbeIsTheOnlyAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency, c.Timeout = 8, time.Minute })
		defer b.close()
		b.ch.set(revoked)
		for i := range 20 {
			b.put(fmt.Sprint(i), fmt.Sprint(i))
		}
		synctest.Wait()
		began, tries := time.Now(), len(b.ch.ids())
		var mu sync.Mutex // the third probe ends when the bench is closed
		var ended []time.Duration
		b.ch.set(func(m channel.Message, n int) (channel.Receipt, error) {
			time.Sleep(30 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, time.Since(began))
			return revoked(m, n)
		})
		time.Sleep(2 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		want := []time.Duration{35 * time.Second, 75 * time.Second} // the third is under way
		if n := len(b.ch.ids()) - tries; !slices.Equal(ended, want) || n != 3 {
			t.Errorf("%d probes, ended after %v, want %v", n, ended, want)
		}
	})
}
