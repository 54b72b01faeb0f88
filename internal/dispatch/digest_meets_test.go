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
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outcome"
)

// suspendRule has a rule refused until it is suspended.
func (b *bench) suspendRule(rule string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range defectAfter {
		b.refuse(rule, errRefused)
	}
}

// later has a recipient ask for a later attempt.
func later(wait time.Duration) []channel.Refusal {
	return []channel.Refusal{{Recipient: "bob", Err: &outcome.Error{Cause: outcome.Greylisted, RetryAfter: wait}}}
}

// collapsing is a channel that tells more than three groups together.
func collapsing(c *Config) {
	chat(c)
	c.Digest.Own.CollapseOver = 3
}

func TestProbeOfSuspendedRuleIsOneAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.suspendRule("bad")
		b.ch.set(refusing("bad"))
		for i := range 5 {
			b.put(fmt.Sprint(i), "A", of("bad"))
		}
		pass(firstProbe)
		if got := b.dead.ids(); !slices.Equal(got, []string{"0"}) {
			t.Errorf("the first probe makes dead letters of %v", got)
		}
		b.ch.set(nil)
		pass(time.Hour)
		if b.left() != 0 {
			t.Errorf("%d left", b.left())
		}
	})
}

// TestProbeOfSuspendedRuleTakesNoOtherGroups to the dead letters.
func TestProbeOfSuspendedRuleTakesNoOtherGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, collapsing)
		defer b.close()
		b.ch.set(func(m channel.Message, _ int) (channel.Receipt, error) {
			switch {
			case m.Delivery == "limit":
				return channel.Receipt{}, &outcome.Error{Cause: outcome.RateLimited, RetryAfter: 15 * time.Minute, Answered: true}
			case strings.HasPrefix(m.Delivery, "bad"):
				return channel.Receipt{}, errRefused
			}
			return channel.Receipt{}, nil
		})
		b.suspendRule("bad")
		b.put("bad", "A", of("bad"))
		b.put("limit", "limit")
		pass(14 * time.Minute)
		for i := range 10 {
			b.put(fmt.Sprint(i), fmt.Sprint("k", i))
		}
		pass(5 * time.Minute)
		if got := b.dead.ids(); !slices.Equal(got, []string{"bad"}) {
			t.Errorf("dead letters of %v", got)
		}
	})
}

// TestSuspendedRuleGivesBackOtherGroups: of a message that speaks for several.
func TestSuspendedRuleGivesBackOtherGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, collapsing)
		defer b.close()
		b.ch.set(func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Digest != nil && m.Digest.Groups > 1 && n < 3 {
				return channel.Receipt{}, errDown
			}
			return refusing("bad")(m, n)
		})
		for i := range 2 {
			b.put(fmt.Sprint("first ", i), fmt.Sprint("first ", i))
		}
		synctest.Wait()
		b.put("bad", "bad", of("bad"))
		pass(10 * time.Millisecond)
		for i := range 5 {
			b.put(fmt.Sprint(i), fmt.Sprint("k", i))
		}
		for i := 0; i < 50 && b.ch.times("bad") == 0; i++ {
			pass(100 * time.Millisecond)
		}
		if m := b.ch.all()[len(b.ch.all())-1].m; m.Digest == nil || m.Digest.Groups != 6 {
			t.Fatalf("sent %v", b.ch.ids())
		}
		b.suspendRule("bad")
		pass(2 * time.Second)
		b.put("critical", "k3", critical)
		pass(4 * time.Second)
		if !slices.ContainsFunc(b.ch.all(), func(s sent) bool { return s.m.Alert.Severity == alert.Critical && s.m.Digest != nil }) {
			t.Errorf("sent %v, and not the critical one with what came before it", b.ch.ids())
		}
		pass(10 * time.Minute)
		if got := b.dead.ids(); !slices.Equal(got, []string{"bad"}) || b.left() != 0 {
			t.Errorf("dead letters of %v, %d left", got, b.left())
		}
	})
}

// TestCriticalPassesMessageWithoutMembers: all that it was to speak for has expired.
func TestCriticalPassesMessageWithoutMembers(t *testing.T) {
	for _, move := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b, s := newBench(t, collapsing), &shelf{}
			defer b.close()
			b.p.Outboxes = s
			b.src.input = offsets.Input{Topic: "id", Partition: 2}
			b.ch.set(func(m channel.Message, _ int) (channel.Receipt, error) {
				if m.Delivery == "host" {
					return channel.Receipt{}, later(time.Hour)[0].Err
				}
				return channel.Receipt{}, nil
			})
			for i := range 2 {
				b.put(fmt.Sprint("first ", i), fmt.Sprint("first ", i))
			}
			synctest.Wait()
			b.put("host", "host", severe(alert.Warning, time.Minute))
			for i := range 5 {
				b.put(fmt.Sprint(i), fmt.Sprint("k", i), func(a *alert.Alert) { a.Expire = time.Millisecond })
			}
			pass(10 * time.Second)
			if b.ch.times("host") != 1 || b.left() != 1 {
				t.Fatalf("sent %v, %d left", b.ch.ids(), b.left())
			}
			if move {
				b.Move(moveBelow(b.end+1, "mail"))
				b.put("next", "k2")
			}
			b.put("critical", "k3", critical)
			pass(time.Minute)
			if b.ch.times("critical") != 1 || move && (b.ch.times("next") != 1 || b.left() != 0) {
				t.Errorf("sent %v, %d left", b.ch.ids(), b.left())
			}
		})
	}
}

// twoDeferred puts two digests of a group in, of which a recipient asks for a later attempt.
func (b *bench) twoDeferred(t *testing.T, wait time.Duration, change ...func(*alert.Alert)) {
	t.Helper()
	b.ch.set(func(m channel.Message, _ int) (channel.Receipt, error) {
		if m.Digest == nil || m.Recipients != nil {
			return channel.Receipt{}, nil
		}
		return channel.Receipt{Accepted: []string{"ann"}, Deferred: later(wait)}, nil
	})
	for i := range 7 {
		b.put(fmt.Sprint(i), "A", change...)
		if i == 0 || i == 3 {
			pass(31 * time.Second)
		}
		if i == 0 {
			b.put("first", "A", change...)
		}
	}
	pass(2 * time.Minute)
	if n := b.left(); n == 0 {
		t.Fatalf("sent %v, none is left", b.ch.ids())
	}
}

func TestLeftPartitionForgetsDeferredDigests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.twoDeferred(t, 10*time.Minute)
		<-b.leave(b.src)
		if b.left() != 0 {
			t.Errorf("%d left", b.left())
		}
	})
}

// TestDeferredDigestDoesNotExpire: others have it.
func TestDeferredDigestDoesNotExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		log := &logged{}
		b.p.Deliveries = log
		b.twoDeferred(t, 10*time.Minute, func(a *alert.Alert) { a.Expire = 5 * time.Minute })
		pass(time.Hour)
		log.answer(nil)
		again := 0
		for _, s := range b.ch.all() {
			if slices.Equal(s.m.Recipients, []string{"bob"}) {
				again++
			}
		}
		if again != 2 || b.left() != 0 {
			t.Errorf("bob got %d messages, %d left", again, b.left())
		}
		for _, r := range log.records {
			if r.Decision == expired {
				t.Errorf("%s has expired, says the log", r.Delivery)
			}
		}
	})
}

// TestLaneFollowsItsKeyInMessageOfGroups: one in a lower partition.
func TestLaneFollowsItsKeyInMessageOfGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, collapsing)
		defer b.close()
		higher := &source{input: offsets.Input{Partition: 1}}
		b.join(higher)
		answer := make(chan struct{})
		b.ch.set(func(m channel.Message, _ int) (channel.Receipt, error) {
			if m.Digest != nil {
				<-answer
				return channel.Receipt{}, errDown
			}
			return channel.Receipt{}, nil
		})
		for i := range 2 {
			b.put(fmt.Sprint("first ", i), fmt.Sprint("first ", i))
		}
		synctest.Wait()
		for i := range 6 {
			b.put(fmt.Sprint(i), fmt.Sprint("k", i))
		}
		pass(2 * time.Second)
		close(answer)
		synctest.Wait()
		b.add(higher, b.delivery("later", "k5"))
		pass(10 * time.Second)
		if b.ch.times("later") != 0 {
			t.Errorf("sent %v: one before what came earlier in its group", b.ch.ids())
		}
		b.ch.set(nil)
		pass(time.Hour)
		if b.left() != 0 || b.ch.times("later") != 1 {
			t.Errorf("sent %v, %d left", b.ch.ids(), b.left())
		}
	})
}

// TestSuspendedRuleGathersNoLonger: a more severe alert ends the window, and steps aside.
func TestSuspendedRuleGathersNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, withDigest)
		defer b.close()
		b.put("first", "A", of("bad"))
		b.put("gathered", "A", of("bad"))
		pass(time.Second)
		b.suspendRule("bad")
		b.ch.set(refusing("bad"))
		b.put("severe", "A", of("bad"), critical)
		pass(time.Second)
		if got := b.ch.ids(); !slices.Equal(got, []string{"first"}) {
			t.Errorf("sent %v, with the rule suspended", got)
		}
	})
}

// TestStatusWhileOneMessageSpeaksForGroups: the lanes of the others hold nothing meanwhile.
func TestStatusWhileOneMessageSpeaksForGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, chat)
		defer b.close()
		b.ch.answer = down
		began := time.Now()
		for i := range 40 {
			d := b.delivery(fmt.Sprint(i), fmt.Sprint(i))
			group(fmt.Sprint(i))(d.envelope.Alert)
			d.stored = began.Add(-time.Duration(i) * time.Minute)
			b.add(b.src, d)
		}
		pass(5 * time.Second)
		tied := 0
		b.mu.Lock()
		for _, l := range b.lanes.byKey {
			if len(l.queue) == 0 {
				tied++
			}
		}
		b.mu.Unlock()
		if s := b.Status(); tied == 0 || s.Pending != 40 || !s.Oldest.Equal(began.Add(-39*time.Minute)) {
			t.Errorf("%d lanes are empty, %d alerts are pending, the oldest since %s", tied, s.Pending, s.Oldest)
		}
	})
}
