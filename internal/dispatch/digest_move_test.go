package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outcome"
)

// TestMoveTakesGatheredAlerts: those of a window that is open, of a digest that failed,
// and of a message of several groups.
func TestMoveTakesGatheredAlerts(t *testing.T) {
	for _, groups := range []int{1, 5, 30} {
		synctest.Test(t, func(t *testing.T) {
			b, s := newBench(t, chat), &shelf{}
			defer b.close()
			b.p.Outboxes = s
			b.src.input = offsets.Input{Topic: "id", Partition: 2}
			b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
				if m.Digest != nil {
					return channel.Receipt{}, errDown
				}
				return channel.Receipt{}, nil
			}
			const n = 200
			for i := range n {
				d := b.delivery(fmt.Sprint(i), fmt.Sprint("k", i), group(fmt.Sprint("g", i%groups)), func(a *alert.Alert) { a.ID = fmt.Sprint(i) })
				d.at = offsets.Position{Epoch: 1, Offset: int64(i)}
				b.add(b.src, d)
			}
			pass(31 * time.Second)
			told := len(b.dead.ids()) // of which all attempts failed
			for _, sent := range b.ch.all() {
				if sent.m.Digest == nil {
					told++
				}
			}
			b.Move(moveBelow(n, "mail"))
			pass(time.Minute)
			seen := make(map[string]bool)
			for _, e := range s.taken {
				seen[e.Alert.ID] = true
			}
			if len(s.taken) != n-told || len(seen) != n-told || b.left() != 0 {
				t.Errorf("%d groups: %d told, %d moved (%d different), %d left", groups, told, len(s.taken), len(seen), b.left())
			}
		})
	}
}

func TestChangedDigestAppliesToNewWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) {
			withDigest(c)
			c.Digest.Own.MaxItems = 2
		})
		defer b.close()
		changed := digest.Defaults()
		changed.Window, changed.MaxItems = time.Minute, 50
		b.UseDigest(changed)
		for i := range 5 {
			b.put(fmt.Sprint(i), "A")
		}
		pass(59 * time.Second)
		if n := len(b.ch.all()); n != 1 {
			t.Errorf("%d messages before the window ends", n)
		}
		pass(time.Second)
		if sends := b.ch.all(); len(sends) != 2 || len(sends[1].m.Digest.Items) != 2 {
			t.Errorf("sent %v", b.ch.ids())
		}
	})
}

func TestMoveTakesDeferredDigests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newBench(t, withDigest), &shelf{}
		defer b.close()
		b.p.Outboxes = s
		b.src.input = offsets.Input{Topic: "id", Partition: 2}
		b.twoDeferred(t, 10*time.Minute)
		n := b.left()
		b.Move(moveBelow(b.end+1, "mail"))
		pass(time.Minute)
		if len(s.taken) != n || b.left() != 0 {
			t.Errorf("%d of %d moved, %d left", len(s.taken), n, b.left())
		}
	})
}

// TestMoveOfOthersKeepsDigests: it is in force for hours.
func TestMoveOfOthersKeepsDigests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.p.Outboxes = &shelf{}
		b.ch.set(func(m channel.Message, _ int) (channel.Receipt, error) {
			if m.Digest != nil {
				return channel.Receipt{}, outcome.Errorf(outcome.MaybeProcessed, "502")
			}
			return channel.Receipt{}, nil
		})
		for i := range 5 {
			b.put(fmt.Sprint(i), "A")
		}
		pass(31 * time.Second)
		b.Move(moveBelow(100, "mail")) // of another partition
		pass(time.Hour)
		if got := slices.Compact(slices.Sorted(slices.Values(b.ch.ids()))); !slices.Equal(got, []string{"0", "1"}) {
			t.Errorf("sent %v", got)
		}
	})
}
