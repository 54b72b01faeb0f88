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

func TestRefusedDigestIsShortenedThenDeadLettered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
			if m.Digest != nil {
				return channel.Receipt{}, errRefused
			}
			return channel.Receipt{}, nil
		}
		for i := range 4 {
			b.put(fmt.Sprint(i), "A")
		}
		pass(time.Minute)
		sends := b.ch.all()
		if len(sends) != 3 || sends[1].id != "1" || sends[2].id != "1" || len(sends[1].m.Digest.Items) != 3 || sends[2].m.Digest.Items != nil {
			t.Errorf("sent %v", b.ch.ids())
		}
		if got := b.dead.ids(); !slices.Equal(sorted(got), []string{"1", "2", "3"}) || b.left() != 0 {
			t.Errorf("dead letters of %v, %d left", got, b.left())
		}
	})
}

func TestFailingDigestStaysOneDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Digest != nil && n < 4 {
				return channel.Receipt{}, errDown
			}
			return channel.Receipt{}, nil
		}
		for i := range 4 {
			b.put(fmt.Sprint(i), "A")
		}
		pass(30 * time.Second)
		b.put("late", "A")
		pass(time.Hour)
		sends := b.ch.all()
		for i, s := range sends[1:] {
			if s.id != "1" || s.m.Digest.New != 3 && (i == 0 || s.m.Digest.New != 4) {
				t.Errorf("attempt of %s tells %d", s.id, s.m.Digest.New)
			}
		}
		if len(sends) != 5 || sends[4].m.Digest.Alerts != 5 || b.left() != 0 {
			t.Errorf("sent %v, %d left", b.ch.ids(), b.left())
		}
	})
}

// What may have arrived is sent again as it was.
func TestDoubtfulDigestGetsNoFurtherMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Digest != nil && n == 1 {
				return channel.Receipt{}, outcome.Errorf(outcome.MaybeProcessed, "502")
			}
			return channel.Receipt{}, nil
		}
		for i := range 4 {
			b.put(fmt.Sprint(i), "A")
		}
		pass(30 * time.Second)
		b.put("late", "A")
		pass(time.Hour)
		sends := b.ch.all()
		if got := b.ch.ids(); !slices.Equal(got, []string{"0", "1", "1", "late"}) || sends[2].m.Digest.New != 3 || !sends[2].m.MayBeDuplicate || b.left() != 0 {
			t.Errorf("sent %v, %d left", got, b.left())
		}
	})
}

// One that fails while others succeed takes nobody with it.
func TestExhaustedDigestIsDeadLetterOfItsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
			if m.Delivery == "1" {
				return channel.Receipt{}, errDown
			}
			return channel.Receipt{}, nil
		}
		for i := range 4 {
			b.put(fmt.Sprint(i), "A")
		}
		for i := range 600 {
			b.put(fmt.Sprint("other ", i), fmt.Sprint("B", i))
			pass(time.Second)
		}
		if got := b.dead.ids(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("dead letters %v", got)
		}
		if d := b.ch.all()[len(b.ch.all())-1]; b.ch.times("2") != 1 || b.ch.times("3") != 0 || b.left() > 1 {
			t.Errorf("%+v, %d left", d, b.left())
		}
	})
}

// A recipient that asks for a later attempt gets the same digest then.
func TestDeferredRecipientGetsTheSameDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, chat)
		defer b.close()
		b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
			time.Sleep(10 * time.Millisecond) // the first is under way while the others come
			if m.Digest == nil || m.Recipients != nil {
				return channel.Receipt{}, nil
			}
			later := channel.Refusal{Recipient: "bob", Err: &outcome.Error{Cause: outcome.Greylisted, RetryAfter: time.Minute}}
			return channel.Receipt{Accepted: []string{"ann"}, Deferred: []channel.Refusal{later}}, nil
		}
		for i := range 30 {
			b.put(fmt.Sprint(i), fmt.Sprint("k", i))
		}
		pass(10 * time.Minute)
		sends := b.ch.all()
		if len(sends) != 3 || !slices.Equal(sends[2].m.Recipients, []string{"bob"}) || b.left() != 0 {
			t.Fatalf("sent %v, %d left", b.ch.ids(), b.left())
		}
		first, again := sends[1].m.Digest, sends[2].m.Digest
		if first.Groups != 29 || again.Groups != 29 || first.Alerts != 29 || again.Alerts != 29 || sends[1].id != sends[2].id {
			t.Errorf("%+v\n%+v", first, again)
		}
	})
}
