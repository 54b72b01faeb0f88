package dispatch

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/outcome"
)

// of is an alert of a rule.
func of(rule string) func(*alert.Alert) { return func(a *alert.Alert) { a.Rule = rule } }

func critical(a *alert.Alert) { a.Severity = alert.Critical }

// refusing refuses what these rules say.
func refusing(rules ...string) func(channel.Message, int) (channel.Receipt, error) {
	return func(m channel.Message, _ int) (channel.Receipt, error) {
		if slices.Contains(rules, m.Alert.Rule) {
			return channel.Receipt{}, errRefused
		}
		return channel.Receipt{}, nil
	}
}

// TestCriticalPassesAnotherRulesRefusals: on a lane of its own, and
// on the one whose first deliveries wait.
func TestCriticalPassesAnotherRulesRefusals(t *testing.T) {
	for _, key := range []string{"own", "shared"} {
		for _, concurrency := range []int{1, 4} {
			t.Run(fmt.Sprint(key, concurrency), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, func(c *Config) { c.Concurrency = concurrency })
					defer b.close()
					b.ch.set(refusing("bad"))
					for i := range 26 {
						lane := fmt.Sprint("k", i)
						if key == "shared" {
							lane = key
						}
						b.put(fmt.Sprint("bad", i), lane, of("bad"))
					}
					b.put("urgent", key, of("good"), critical)
					b.put("after", key, of("good"))
					synctest.Wait() // no time passes
					got := b.ch.ids()
					if !slices.Contains(got, "urgent") || !slices.Contains(got, "after") || slices.Index(got, "after") < slices.Index(got, "urgent") {
						t.Fatalf("sent %v", got)
					}
					if n := len(b.dead.ids()); n < defectAfter || n >= defectAfter+concurrency || b.left() != 26-n {
						t.Errorf("%d dead letters, %d wait", n, b.left())
					}
					if s := b.Status(); s.State != "healthy" || !strings.Contains(s.Reason, "rule bad is suspended: ") {
						t.Errorf("status %+v", s)
					}
				})
			})
		}
	}
}

// TestSuspendedRuleProgressesWithEachProbe: what its probes have refused is a
// dead letter; the first success lets the rest go, in order within a key.
func TestSuspendedRuleProgressesWithEachProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		defer b.close()
		b.ch.set(refusing("bad"))
		for i := range 40 {
			b.put(fmt.Sprintf("bad%02d", i), fmt.Sprint("k", i%2), of("bad"))
			synctest.Wait()
		}
		if n := len(b.dead.ids()); n != defectAfter {
			t.Fatalf("%d dead letters at once", n)
		}
		for i, wait := range []time.Duration{5, 10, 20, 40, 60} {
			time.Sleep(wait*time.Second - time.Millisecond)
			if n := len(b.dead.ids()); n != defectAfter+i {
				t.Fatalf("%d dead letters before probe %d", n, i+1)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if n := len(b.dead.ids()); n != defectAfter+i+1 {
				t.Fatalf("%d dead letters after probe %d", n, i+1)
			}
		}
		if got := b.ch.ids()[defectAfter:]; got[0][4]%2 == got[1][4]%2 {
			t.Errorf("probed %v: not the keys in turn", got)
		}
		b.ch.set(nil)
		time.Sleep(lastProbe - time.Second)
		b.put("bad98", "k0", of("bad")) // behind the others of its key
		synctest.Wait()
		if got := b.left(); got != 16 {
			t.Fatalf("%d wait", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		b.put("bad99", "k1", of("bad"))
		synctest.Wait()
		if b.left() != 0 || b.Status().Reason != "" {
			t.Errorf("%d wait, %+v", b.left(), b.Status())
		}
		sent := b.ch.ids()[defectAfter+5:]
		if len(sent) != 17 {
			t.Errorf("sent %v", sent)
		}
		for _, last := range []string{"02468", "13579"} { // of the ids of a key
			lane := slices.DeleteFunc(slices.Clone(sent), func(id string) bool { return !strings.ContainsAny(id[4:], last) })
			if len(lane) < 3 || !slices.IsSorted(lane) {
				t.Errorf("the order of a key is broken: %v", lane)
			}
		}
		if len(b.lanes.byKey) != 0 || b.lanes.asides != 0 || len(b.lanes.rules.byName) != 0 {
			t.Errorf("%d lanes, %d aside, %d rules are left", len(b.lanes.byKey), b.lanes.asides, len(b.lanes.rules.byName))
		}
	})
}

// TestSuccessBetweenRefusalsPreventsSuspension: whatever others do.
func TestSuccessBetweenRefusalsPreventsSuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		defer b.close()
		b.ch.set(func(m channel.Message, _ int) (channel.Receipt, error) {
			if strings.HasSuffix(m.Delivery, "9") {
				return channel.Receipt{}, nil
			}
			return channel.Receipt{}, errRefused
		})
		for i := range 200 {
			b.put(fmt.Sprint("d", i), fmt.Sprint("k", i))
		}
		synctest.Wait()
		if b.left() != 0 || len(b.dead.ids()) != 180 {
			t.Errorf("%d wait, %d dead letters", b.left(), len(b.dead.ids()))
		}
	})
}

// TestSuccessOfOthersDoesNotResumeARule: what a provider refuses of one rule it
// refuses however well the others do.
func TestSuccessOfOthersDoesNotResumeARule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		defer b.close()
		b.ch.set(refusing("bad"))
		for i := range 100 {
			b.put(fmt.Sprint("bad", i), fmt.Sprint("k", i), of("bad"))
			b.put(fmt.Sprint("good", i), fmt.Sprint("g", i), of("good"))
		}
		synctest.Wait()
		if n := len(b.dead.ids()); n != defectAfter || b.left() != 100-defectAfter {
			t.Errorf("%d dead letters, %d wait", n, b.left())
		}
	})
}

// TestRefusalsOfManyRulesSuspendTheChannel: and its probes take the newest
// critical alert of a rule that was not refused first, each of them once.
func TestRefusalsOfManyRulesSuspendTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		defer b.close()
		b.ch.set(func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, errRefused })
		for i := range 30 {
			b.put(fmt.Sprint("d", i), fmt.Sprint("k", i), of(fmt.Sprint("rule", i%5)))
		}
		synctest.Wait()
		s := b.Status()
		if n := len(b.dead.ids()); n != defectAfter || s.State != "suspended" || !strings.Contains(s.Reason, "messages of 5 rules were refused") || !strings.Contains(s.Reason, "rule0, rule1") {
			t.Fatalf("%d dead letters, %+v", n, s)
		}
		for i, rule := range []string{"other", "rule1", "other"} {
			b.put(fmt.Sprint("urgent", i), fmt.Sprint("u", i), of(rule), critical, func(a *alert.Alert) {
				a.EventTime = a.EventTime.Add(time.Duration(i) * time.Second)
			})
		}
		began := len(b.ch.ids())
		time.Sleep((5 + 10 + 20 + 40 + 60 + 1) * time.Second)
		// Once "other" is refused as well it is no better than rule1.
		want := []string{"urgent2", "urgent1", "urgent0", "d20", "d21"}
		if got := b.ch.ids()[began:]; !slices.Equal(got, want) {
			t.Errorf("probed %v, want %v", got, want)
		}
		if n := len(b.dead.ids()); n != defectAfter+5 {
			t.Errorf("%d dead letters: a probe makes no progress", n)
		}
		b.ch.set(nil)
		time.Sleep(lastProbe)
		if s := b.Status(); b.left() != 0 || s.State != "healthy" || s.Reason != "" {
			t.Errorf("%d wait, %+v", b.left(), s)
		}
	})
}

// TestThreeRulesDoNotSuspendTheChannel, however much of theirs is refused.
func TestThreeRulesDoNotSuspendTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.set(refusing("rule0", "rule1", "rule2"))
		for i := range 300 {
			b.put(fmt.Sprint("d", i), fmt.Sprint("k", i), of(fmt.Sprint("rule", i%3)))
		}
		synctest.Wait()
		b.put("urgent", "u", of("other"), critical)
		synctest.Wait()
		if got := b.ch.ids(); got[len(got)-1] != "urgent" || b.state() != "healthy" {
			t.Errorf("it is %s, sent last is %s", b.state(), got[len(got)-1])
		}
	})
}

func TestCriticalsFirstWhereCredentialsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		defer b.close()
		b.ch.set(revoked)
		for i := range 3 {
			b.put(fmt.Sprint("d", i), fmt.Sprint("k", i))
		}
		synctest.Wait()
		b.put("urgent", "u", of("other"), critical)
		time.Sleep((5 + 10 + 20 + 1) * time.Second)
		if got := b.ch.ids(); !slices.Equal(got, []string{"d0", "urgent", "d1", "d2"}) || len(b.dead.ids()) != 0 {
			t.Errorf("tried %v, %d dead letters", got, len(b.dead.ids()))
		}
	})
}

// TestSuspendedRuleYieldsButIsProbed: at a pace that others use up.
func TestSuspendedRuleYieldsButIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency, c.Pace = 1, Pace{Rate: 1, Burst: 100} })
		defer b.close()
		b.ch.set(refusing("bad"))
		for i := range 30 {
			b.put(fmt.Sprint("bad", i), fmt.Sprint("k", i), of("bad"))
		}
		for i := range 3000 {
			b.put(fmt.Sprint("good", i), fmt.Sprint("g", i), of("good"))
		}
		time.Sleep(firstProbe + overdue - time.Second)
		if n := len(b.dead.ids()); n != defectAfter {
			t.Errorf("%d dead letters: probes do not yield", n)
		}
		time.Sleep(2 * time.Second)
		if n := len(b.dead.ids()); n != defectAfter+1 {
			t.Errorf("%d dead letters: it is not probed", n)
		}
	})
}

// TestSuspendedRuleIsACondition: said once and at its end, counted, and dropped
// when its partition is another's.
func TestSuspendedRuleIsACondition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		board := health.New(slog.New(slog.NewTextHandler(&said, nil)), prometheus.NewPedanticRegistry())
		suspend := func() *bench {
			b := newBench(t, func(c *Config) { c.Concurrency = 1 })
			b.lanes.rules.conditions = board
			b.ch.set(refusing("order-rejected"))
			for i := range 30 {
				b.put(fmt.Sprint("bad", i), fmt.Sprint("k", i), of("order-rejected"))
			}
			synctest.Wait()
			return b
		}
		b := suspend()
		want := "channel desk: rule order-rejected is suspended: 20 of its messages in a row were refused, the last with payload-refused: 422"
		if text := board.Text(health.Rule); !strings.Contains(text, want) {
			t.Errorf("it says %q", text)
		}
		if log := said.String(); strings.Count(log, `msg="rule suspended"`) != 1 || !strings.Contains(log, "rule=order-rejected") || !strings.Contains(log, "channel=desk") {
			t.Errorf("the log has %s", log)
		}
		b.ch.set(nil)
		time.Sleep(firstProbe)
		synctest.Wait()
		if board.Text(health.Rule) != "" || !strings.Contains(said.String(), `msg="rule resumed"`) {
			t.Errorf("it is not over: %s", &said)
		}
		b.close()

		b = suspend()
		defer b.close()
		<-b.leave(b.src)
		if text := board.Text(health.Rule); text != "" || b.lanes.asides != 0 || len(b.lanes.byKey) != 0 {
			t.Errorf("after the revoke it says %q; %d lanes, %d aside", text, len(b.lanes.byKey), b.lanes.asides)
		}
		b.src = &source{}
		b.join(b.src)
		b.ch.set(nil)
		b.put("next", "k", of("order-rejected"))
		synctest.Wait()
		if got := b.ch.ids(); got[len(got)-1] != "next" {
			t.Errorf("sent last is %s", got[len(got)-1])
		}
	})
}

// TestFailingProbeOfARuleKeepsItsPlace: what fails on the way, and what is pending
// as told, is no refusal and keeps its place.
func TestFailingProbeOfARuleKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		defer b.close()
		b.ch.set(refusing("bad"))
		for i := range 24 {
			b.put(fmt.Sprintf("bad%02d", i), "k", of("bad"))
		}
		synctest.Wait()
		b.ch.set(down)
		time.Sleep(3 * lastProbe)
		if n := len(b.dead.ids()); n != defectAfter {
			t.Fatalf("%d dead letters", n)
		}
		b.put("good", "g", of("good"))
		time.Sleep(time.Second)
		b.ch.set(nil)
		time.Sleep(2 * lastProbe)
		got := slices.DeleteFunc(b.ch.ids(), func(id string) bool { return id == "good" })
		if b.left() != 0 || !slices.Equal(got[len(got)-3:], []string{"bad21", "bad22", "bad23"}) {
			t.Errorf("%d wait, sent %v", b.left(), got)
		}
	})
}

// TestSuspendedRuleNeverFillsTheWindow: neither its records nor the list of a
// commit. What is too much is a dead letter, the oldest first.
func TestSuspendedRuleNeverFillsTheWindow(t *testing.T) {
	for name, test := range map[string]struct {
		records  int
		rule     func(i int) string
		held     [2]int // how many of the rule may wait at the end
		complete bool   // nothing of the rule beyond defectAfter is a dead letter
	}{
		"few":         {1500, func(i int) string { return [2]string{"bad", "good"}[min(i/1000, 1)] }, [2]int{977, 980}, true},
		"records":     {4000, func(i int) string { return [2]string{"bad", "good"}[min(i/3500, 1)] }, [2]int{2040, 2048}, false},
		"interleaved": {4000, func(i int) string { return [2]string{"bad", "good"}[i%2] }, [2]int{300, 460}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				defer b.close()
				b.ch.set(refusing("bad"))
				steps, p := b.assignedOf(test.records, test.rule)
				stop := make(chan struct{})
				go func() { // commits as the member does
					for {
						select {
						case <-stop:
							return
						case <-time.After(10 * time.Millisecond):
							if s, ok := steps.Snapshot(p, false); ok {
								steps.Answered(s, nil, false)
							}
						}
					}
				}()
				time.Sleep(firstProbe - time.Second)
				close(stop)
				good, bad := 0, 0
				for i := range test.records {
					if test.rule(i) == "good" {
						good++
					} else {
						bad++
					}
				}
				sent := slices.DeleteFunc(b.ch.all(), func(s sent) bool { return s.m.Alert.Rule != "good" })
				if len(sent) != good {
					t.Errorf("%d of %d of the other rule are sent", len(sent), good)
				}
				dead := b.dead.all()
				if held := b.left(); held != bad-len(dead) || held < test.held[0] || held > test.held[1] {
					t.Errorf("%d wait, %d are dead letters of %d", held, len(dead), bad)
				}
				if test.complete {
					return
				}
				last, tried := int64(-1), 0
				for _, e := range dead {
					untried := strings.HasPrefix(e.Detail, "not sent: its rule is suspended")
					switch {
					case untried && (e.Reason != outcome.Refused || e.Envelope.Source.Offset <= last):
						t.Fatalf("%+v after offset %d", e, last)
					case untried:
						last = e.Envelope.Source.Offset
					default: // the others in flight when the rule was suspended
						if tried++; tried > defectAfter+3 {
							t.Fatalf("%d were tried, the last is %+v", tried, e)
						}
					}
				}
				if last < 0 {
					t.Error("nothing was given up")
				}
			})
		})
	}
}

// TestSuspendedRulesAlertsAreMovedInOrder to another channel, also where some
// cannot be put there at first.
func TestSuspendedRulesAlertsAreMovedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newMoveBench(t)
		defer b.close()
		b.ch.set(func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, errRefused })
		for i := range 40 {
			b.wait(fmt.Sprintf("d%02d", i), fmt.Sprint("k", i%3), int64(i), func(e *envelope.Envelope) { e.Alert.Rule = "bad" })
			synctest.Wait()
		}
		fail := true
		s.set(func(e *envelope.Envelope) error {
			if fail && e.Alert.ID >= "al_d25" {
				return errors.New("not acknowledged")
			}
			return nil
		})
		b.Move(moveBelow(38, "mail"))
		synctest.Wait()
		s.mu.Lock()
		fail = false
		s.mu.Unlock()
		time.Sleep(firstProbe - time.Second)
		synctest.Wait()
		last := make(map[byte]string) // by the lane
		seen := make(map[string]bool)
		for _, e := range s.taken {
			if n := e.Alert.ID; !seen[n] {
				seen[n] = true
				lane := (n[4]*10 + n[5]) % 3
				if n < last[lane] {
					t.Errorf("%s after %s", n, last[lane])
				}
				last[lane] = n
			}
		}
		if len(seen) != 18 || b.left() != 2 || b.lanes.asides != 2 || len(b.lanes.byKey) != 2 || b.lanes.rules.byName["bad"].waiting != 2 {
			t.Errorf("%d moved, %d left, %d aside of %d lanes, %d wait", len(seen), b.left(), b.lanes.asides, len(b.lanes.byKey), b.lanes.rules.byName["bad"].waiting)
		}
	})
}
