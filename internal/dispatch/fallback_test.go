package dispatch

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outcome"
)

// newFallbackBench is a channel that falls back to mail after 20 s.
func newFallbackBench(t *testing.T, change func(*Config)) (*bench, *shelf) {
	s := &shelf{}
	b := newBench(t, func(c *Config) {
		c.Fallback = Fallback{To: "mail", After: 20 * time.Second}
		if change != nil {
			change(c)
		}
	})
	b.p.Outboxes = s
	b.src.input = offsets.Input{Topic: "id", Partition: 2}
	return b, s
}

func aCritical(e *envelope.Envelope) { e.Alert.Severity = alert.Critical }

func invalidAuth(channel.Message, int) (channel.Receipt, error) {
	return channel.Receipt{}, outcome.Errorf(outcome.Credentials, "invalid_auth")
}

func TestSuspendedChannelFallsBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newFallbackBench(t, func(c *Config) { c.Fallback.Severity = []alert.Severity{alert.Critical} })
		defer b.close()
		b.ch.answer = invalidAuth
		b.wait("warning", "A", 0)
		synctest.Wait() // suspended
		time.Sleep(time.Minute)
		b.wait("behind", "A", 1, aCritical) // its lane waits for the warning
		b.wait("alone", "B", 2, aCritical)
		pass(19 * time.Second)
		if got := s.rules(); len(got) != 0 {
			t.Fatalf("%v after 19 s", got)
		}
		pass(1500 * time.Millisecond)
		if got := s.rules(); !slices.Equal(got, []string{"behind", "alone"}) || b.left() != 1 {
			t.Fatalf("%v after 20 s, %d left", got, b.left())
		}
		for i, e := range s.taken {
			want := offsets.Origin{Input: b.src.input, From: offsets.Position{Epoch: 1, Offset: int64(i + 1)}, Done: offsets.Position{Epoch: -1}, Delivery: e.Delivery}
			if e.Channel != "mail" || e.Delivery != alert.NewDelivery(e.Alert.ID, "mail") || e.From != want {
				t.Errorf("it stands there as %s for %s, from %+v", e.Delivery, e.Channel, e.From)
			}
			if e.Instead == nil || *e.Instead != (envelope.Instead{Channel: "desk", Cause: "suspended: invalid_auth"}) {
				t.Errorf("it is there instead of %+v", e.Instead)
			}
		}
		tried := len(b.ch.all())
		b.ch.set(nil)
		pass(10 * time.Minute)
		if sent := b.ch.ids()[tried:]; !slices.Equal(sent, []string{"warning"}) || b.left() != 0 || s.calls != 1 {
			t.Errorf("after the recovery %v was sent, %d left, %d batches", sent, b.left(), s.calls)
		}
	})
}

func TestOpenCircuitFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newFallbackBench(t, nil)
		defer b.close()
		b.ch.answer = down
		for i := range 5 {
			b.wait(fmt.Sprint("A", i), "A", int64(i))
		}
		pass(time.Minute)
		if got := s.rules(); !slices.Equal(got, []string{"A0", "A1", "A2", "A3", "A4"}) || b.left() != 0 {
			t.Fatalf("%v, %d left", got, b.left())
		}
		if cause := s.taken[0].Instead.Cause; cause != "failing: 503" {
			t.Errorf("the cause is %q", cause)
		}
	})
}

// TestRateLimitIsNoReasonToFallBack: the channel sends, if later.
func TestRateLimitIsNoReasonToFallBack(t *testing.T) {
	for name, answer := range map[string]func(channel.Message, int) (channel.Receipt, error){
		"429": func(_ channel.Message, n int) (channel.Receipt, error) {
			if n == 1 {
				return channel.Receipt{}, &outcome.Error{Cause: outcome.RateLimited, RetryAfter: time.Hour}
			}
			return channel.Receipt{}, nil
		},
		"503 of one message": func(m channel.Message, n int) (channel.Receipt, error) {
			if m.Delivery == "A0" && n < 4 {
				return channel.Receipt{}, &outcome.Error{Cause: outcome.Unavailable, RetryAfter: time.Minute}
			}
			return channel.Receipt{}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := newFallbackBench(t, nil)
				defer b.close()
				b.ch.answer = answer
				for i := range 3 {
					b.wait(fmt.Sprint("A", i), fmt.Sprint("A", i), int64(i), aCritical)
				}
				pass(2 * time.Hour)
				if got := s.rules(); len(got) != 0 || b.left() != 0 {
					t.Errorf("%v went to the other channel, %d left", got, b.left())
				}
			})
		})
	}
}

func TestWhatIsForThisChannelStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newFallbackBench(t, nil)
		defer b.close()
		b.ch.answer = invalidAuth
		b.wait("rerouted", "A", 0, func(e *envelope.Envelope) { e.Instead = &envelope.Instead{Channel: "mail"} })
		b.wait("both", "B", 1, func(e *envelope.Envelope) { e.Channels = []string{"desk", "mail"} })
		b.wait("replay", "C", 2, func(e *envelope.Envelope) { e.Replay = &envelope.Replay{Entry: e.Delivery, Number: 1} })
		b.wait("notice", "D", 3, aNotice)
		b.wait("ordinary", "E", 4, func(e *envelope.Envelope) { e.Channels = []string{"desk", "pager"} })
		pass(time.Hour)
		if got := s.rules(); !slices.Equal(got, []string{"ordinary"}) || b.left() != 4 {
			t.Errorf("%v went to the other channel, %d left", got, b.left())
		}
	})
}

func TestGatheredAlertsFallBackWithTheirMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newFallbackBench(t, func(c *Config) { c.Digest = digest.Setting{On: true} })
		defer b.close()
		b.wait("told", "A", 0, grouped)
		synctest.Wait() // its window of 30 s is open
		b.ch.set(invalidAuth)
		b.wait("breaks", "B", 1, aCritical)
		for i := range 3 {
			b.wait(fmt.Sprint("gathered", i), "A", int64(2+i), grouped)
		}
		pass(49 * time.Second) // 19 s after the end of the window
		if got := s.rules(); !slices.Equal(got, []string{"breaks"}) {
			t.Errorf("%v before the message was held for long", got)
		}
		pass(2 * time.Second)
		if got := s.rules(); !slices.Equal(got, []string{"breaks", "storm", "storm", "storm"}) || b.left() != 0 {
			t.Errorf("%v, %d left", got, b.left())
		}
	})
}

// grouped makes an alert one of a group.
func grouped(e *envelope.Envelope) { e.Alert.Rule, e.Alert.Group = "storm", []string{"venue"} }

func TestThrottledAlertDoesNotFallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newFallbackBench(t, nil)
		defer b.close()
		rare := func(e *envelope.Envelope) { e.Alert.Rule, e.Alert.Throttle = "rare", time.Hour }
		b.wait("told", "A", 0, rare)
		synctest.Wait()
		b.ch.set(invalidAuth)
		b.wait("breaks", "C", 1)
		synctest.Wait()
		for i := range 3 { // the channel is tried with these
			b.wait(fmt.Sprint("critical", i), fmt.Sprint("B", i), int64(2+i), aCritical)
		}
		b.wait("again", "A", 5, rare)
		b.wait("other", "A", 6)
		pass(21 * time.Second)
		if got := s.rules(); !slices.Equal(got, []string{"breaks", "critical0", "critical1", "critical2", "other"}) || b.left() != 0 {
			t.Errorf("%v went to the other channel, %d left", got, b.left())
		}
	})
}

func TestUnwritableFallbackLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newFallbackBench(t, nil)
		defer b.close()
		b.ch.answer = invalidAuth
		s.set(func(e *envelope.Envelope) error {
			if e.Alert.Rule == "large" {
				return kerr.MessageTooLarge
			}
			return errors.New("no leader")
		})
		b.wait("large", "A", 0)
		b.wait("small", "A", 1)
		b.wait("other", "B", 2)
		pass(time.Minute)
		if s.calls < 5 || s.calls > 50 || b.left() != 3 {
			t.Errorf("%d attempts in 40 s, %d left", s.calls, b.left())
		}
		s.set(func(e *envelope.Envelope) error {
			if e.Alert.Rule == "large" {
				return kerr.MessageTooLarge
			}
			return nil
		})
		pass(10 * time.Second)
		if got := s.rules(); !slices.Contains(got, "small") || !slices.Contains(got, "other") || b.left() != 1 {
			t.Errorf("%v went to the other channel, %d left", got, b.left())
		}
		b.ch.set(nil)
		pass(2 * lastProbe)
		if sent := b.ch.ids(); sent[len(sent)-1] != "large" || b.left() != 0 || len(b.dead.all()) != 0 {
			t.Errorf("sent %v, %d left, %d dead letters", sent, b.left(), len(b.dead.all()))
		}
	})
}

// TestFallbackKeepsWaitOfItsLane: what stays is not tried before its provider wants it.
func TestFallbackKeepsWaitOfItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newFallbackBench(t, func(c *Config) {
			c.Breaker.Failures, c.Fallback.Severity = 1, []alert.Severity{alert.Critical}
		})
		defer b.close()
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			if n == 1 {
				return channel.Receipt{}, &outcome.Error{Cause: outcome.Unavailable, RetryAfter: time.Hour}
			}
			return channel.Receipt{}, nil
		}
		b.wait("asked", "A", 0)
		synctest.Wait()
		b.wait("behind", "A", 1, aCritical)
		pass(time.Minute)
		if got := s.rules(); !slices.Equal(got, []string{"behind"}) || b.ch.times("asked") != 1 {
			t.Errorf("%v went to the other channel, the one before was tried %d times", got, b.ch.times("asked"))
		}
		pass(time.Hour)
		if b.ch.times("asked") != 2 || b.left() != 0 {
			t.Errorf("tried %d times in an hour, %d left", b.ch.times("asked"), b.left())
		}
	})
}

// TestCollapsedGroupsFallBackTogether, though the delivery that speaks for them stays.
func TestCollapsedGroupsFallBackTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newFallbackBench(t, chat)
		b.p.Config.Fallback = Fallback{To: "mail", After: 20 * time.Second}
		defer b.close()
		b.ch.answer = down
		tell := func(m channel.Message) bool { return m.Digest != nil && m.Digest.Groups > 1 }
		began := time.Now()
		for i := range 40 {
			name := fmt.Sprint("group", i)
			b.wait(name, name, int64(i), func(e *envelope.Envelope) {
				e.Alert.Group = []string{name}
				if i < 3 {
					e.Channels = []string{"desk", "mail"}
				}
			})
		}
		pass(5 * time.Second)
		if !slices.ContainsFunc(b.ch.all(), func(s sent) bool { return tell(s.m) }) {
			t.Fatal("no message speaks for several groups")
		}
		for len(s.rules()) < 37 && time.Since(began) < time.Minute {
			pass(time.Second)
		}
		if took := time.Since(began); took > 28*time.Second || b.left() != 3 {
			t.Errorf("%d went there in %s, %d left", len(s.rules()), took, b.left())
		}
	})
}
