package dispatch

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// storm counts what a provider is told of the storm that the defaults are made for.
type storm struct {
	raised          map[string]time.Time
	firstOf         map[string]bool
	told, messages  int
	first, critical time.Duration // the longest until the first of a group, and until a critical one
	merged          bool          // a critical one with other groups
}

func (s *storm) take(m channel.Message) {
	s.messages++
	s.told += speaksFor(m)
	s.merged = s.merged || m.Digest != nil && m.Digest.Groups > 1 && m.Alert.Severity == alert.Critical
	for _, a := range itemsOf(m) {
		late := time.Since(s.raised[a.ID])
		if !s.firstOf[a.Group[0]] {
			s.firstOf[a.Group[0]] = true
			s.first = max(s.first, late)
		}
		if a.Severity == alert.Critical {
			s.critical = max(s.critical, late)
		}
	}
}

// TestStormStaysWithinItsRate: 1,000 alerts of 40 groups in a minute, on a channel of
// one message a second whose provider allows a burst, or none.
func TestStormStaysWithinItsRate(t *testing.T) {
	for _, strict := range []bool{false, true} {
		for seed := range uint64(5) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(c *Config) {
					chat(c)
					c.Digest.Own.MaxItems = 100 // so that the test sees all
				})
				defer b.close()
				s := &storm{raised: make(map[string]time.Time), firstOf: make(map[string]bool)}
				var last time.Time
				b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
					if strict && time.Since(last) < time.Second {
						return channel.Receipt{}, &outcome.Error{Cause: outcome.RateLimited, Detail: "429", RetryAfter: time.Second, Answered: true}
					}
					last = time.Now()
					s.take(m)
					return channel.Receipt{}, nil
				}
				rnd := rand.New(rand.NewPCG(seed, 1))
				for i := range 1000 {
					id, severity := fmt.Sprint(i), alert.Warning
					name := fmt.Sprint("group ", rnd.IntN(40))
					if rnd.IntN(100) == 0 {
						severity = alert.Critical
					}
					s.raised[id] = time.Now()
					b.put(id, fmt.Sprint("key ", rnd.IntN(100)), group(name), func(a *alert.Alert) { a.Severity, a.ID = severity, id })
					pass(60 * time.Millisecond)
				}
				pass(15 * time.Minute)
				t.Logf("strict %v, seed %d: %d messages, first %s, critical %s", strict, seed, s.messages, s.first, s.critical)
				most := 10 * time.Second
				if strict {
					most += time.Second // each 429 is a message later
				}
				if s.messages > 80 || s.told != 1000 || s.first > most || s.critical > 10*time.Second || s.merged || b.left() != 0 {
					t.Errorf("strict %v, seed %d: %+v, %d left", strict, seed, s, b.left())
				}
			})
		}
	}
}

func TestManyWaitingGroupsBecomeOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, chat)
		defer b.close()
		fails, total := 0, atomic.Int64{}
		b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
			time.Sleep(10 * time.Millisecond) // the first is under way while the others come
			if m.Digest != nil && m.Digest.Groups > 1 && fails < 3 {
				fails++
				return channel.Receipt{}, errDown
			}
			total.Add(int64(speaksFor(m)))
			return channel.Receipt{}, nil
		}
		for i := range 30 {
			b.put(fmt.Sprint(i), fmt.Sprint("k", i))
		}
		pass(1500 * time.Millisecond) // the first one, then all others: that fails
		b.put("behind", "k20")
		b.put("critical", "k21", critical)
		pass(100 * time.Millisecond)
		if n := total.Load(); n != 3 {
			t.Errorf("%d told: the critical alert and what was before it do not pass the failed message", n)
		}
		pass(10 * time.Minute)
		for _, s := range b.ch.all() {
			if s.m.Digest != nil && s.m.Digest.Groups > 1 && s.m.Alert.Severity == alert.Critical {
				t.Error("a critical alert is merged with other groups")
			}
		}
		if got := b.ch.ids(); b.left() != 0 || total.Load() != 32 || len(got) > 8 {
			t.Errorf("%v sent, tell %d, %d left", got, total.Load(), b.left())
		}
	})
}

func TestRevokeForgetsWhatIsGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, chat)
		defer b.close()
		b.ch.answer = func(m channel.Message, _ int) (channel.Receipt, error) {
			time.Sleep(10 * time.Millisecond) // the first is under way while the others come
			if m.Digest != nil {
				time.Sleep(5 * time.Second)
			}
			return channel.Receipt{}, nil
		}
		for i := range 40 {
			b.put(fmt.Sprint(i), fmt.Sprint("k", i))
		}
		pass(1500 * time.Millisecond)
		if d := b.ch.all()[1].m.Digest; d == nil || d.Groups != 39 {
			t.Fatalf("%+v", d)
		}
		b.put("behind", "k20")
		drained := b.leave(b.src)
		if b.left() != 0 {
			t.Errorf("%d are left", b.left())
		}
		<-drained
		pass(time.Hour)
		if n := len(b.ch.all()); n != 2 {
			t.Errorf("%d messages", n)
		}
	})
}

// BenchmarkGather is the cost of an alert that joins its group: at most 2 µs.
func BenchmarkGather(b *testing.B) {
	bench := newBench(&testing.T{}, withDigest)
	defer bench.close()
	bench.log = slog.New(slog.DiscardHandler)
	deliveries := make([]*delivery, b.N) // each joins once
	for i := range deliveries {
		deliveries[i] = bench.delivery(fmt.Sprint(i), fmt.Sprint("account ", i%1000), group("venue"))
	}
	bench.put("first", "A", group("venue"))
	b.ReportAllocs()
	b.ResetTimer()
	for _, d := range deliveries {
		bench.add(bench.src, d)
	}
}

// After a start ingest raises a resolved alert for each key, most of which end nothing:
// they are no groups that wait.
func TestResolvedAlertsThatEndNothingCollapseNoGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, chat)
		defer b.close()
		ends := func(a *alert.Alert) { a.Clears, a.State = true, alert.Resolved }
		for i := range 5 { // two are told at once
			b.put(fmt.Sprint("fires ", i), fmt.Sprint("k", i))
		}
		for i := range 30 {
			b.put(fmt.Sprint("ends ", i), fmt.Sprint("r", i), ends)
		}
		pass(10 * time.Second)
		for _, s := range b.ch.all() {
			if s.m.Digest != nil {
				t.Errorf("one message speaks for %d groups with %d alerts", s.m.Digest.Groups, s.m.Digest.New)
			}
		}
		if n := len(b.ch.all()); n != 5 || b.left() != 0 {
			t.Errorf("%d messages, %d left", n, b.left())
		}
	})
}

// Where all alerts of a group are counted by a throttle, the message does not speak for it.
func TestCollapsedMessageCountsTheGroupsThatItTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, chat)
		defer b.close()
		once := func(a *alert.Alert) { a.Throttle = time.Hour }
		for i := range 2 {
			b.put(fmt.Sprint("first ", i), fmt.Sprint("f", i), once)
		}
		pass(0)
		for i := range 12 {
			b.put(fmt.Sprint(i), fmt.Sprint("k", i), group(fmt.Sprint("g", i)), func(a *alert.Alert) {
				if i >= 8 {
					a.Key = []string{"f0"}
					once(a)
				}
			})
		}
		pass(10 * time.Second)
		last := b.ch.all()[len(b.ch.all())-1].m.Digest
		if last == nil || last.New != 8 || last.Groups != 8 {
			t.Errorf("%+v", last)
		}
	})
}
