package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/state"
)

// stateTopic is the state topic, and all that read it.
type stateTopic struct {
	mu      sync.Mutex
	log     []state.Record
	readers []*reader
	err     error         // of every write
	hold    chan struct{} // writes wait until it is closed; nil: they do not
	hidden  bool          // it cannot be read
}

// reader is the State of one process.
type reader struct {
	*stateTopic
	reading sync.Mutex
	next    int
	learn   func(state.Record)
	waiting []func()
}

func (r *reader) Known(f func()) {
	r.mu.Lock()
	r.waiting = append(r.waiting, f)
	r.mu.Unlock()
	go r.read()
}

func (r *reader) Write(ctx context.Context, records ...state.Record) error {
	r.mu.Lock()
	hold, err := r.hold, r.err
	r.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, records...)
	for _, other := range r.readers {
		go other.read()
	}
	return nil
}

// read passes on what is new.
func (r *reader) read() {
	r.reading.Lock()
	defer r.reading.Unlock()
	for {
		r.mu.Lock()
		if r.hidden {
			r.mu.Unlock()
			return
		}
		if r.next == len(r.log) {
			waiting := r.waiting
			r.waiting = nil
			r.mu.Unlock()
			for _, f := range waiting {
				f()
			}
			return
		}
		record := r.log[r.next]
		r.next++
		r.mu.Unlock()
		r.learn(record)
	}
}

func (s *stateTopic) set(change func(*stateTopic)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
	for _, r := range s.readers {
		go r.read()
	}
}

// last returns the last value of each key.
func (s *stateTopic) last() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := make(map[string]string)
	for _, r := range s.log {
		last[r.Key] = string(r.Value)
	}
	return last
}

// process returns a process that owns the outbox from now on. Its first alert is at an offset.
func (s *stateTopic) process(t *testing.T, offset int64, conditions *health.Conditions, change ...func(*Config)) *bench {
	t.Helper()
	config := testConfig()
	for _, f := range change {
		f(&config)
	}
	b := &bench{ch: &scripted{}, dead: &deadLetters{}, src: &source{}, end: offset - 1, t: t}
	r := &reader{stateTopic: s}
	b.Dispatcher = New(Params{
		Name: "desk", Channel: b.ch, Config: config, Uncommitted: 64, Dead: b.dead, Group: "notification-service", MaxReplays: 3,
		Logger: slog.New(slog.DiscardHandler), State: r, Conditions: conditions,
	})
	r.learn = b.Learn
	s.mu.Lock()
	s.readers = append(s.readers, r)
	s.mu.Unlock()
	b.join(b.src)
	synctest.Wait() // it reads beside what a test sets next
	t.Cleanup(b.close)
	return b
}

// unsettled returns how many deliveries wait for the state topic.
func (b *bench) unsettled() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.saving.parked)
}

func hour(a *alert.Alert) { a.Throttle = time.Hour }

func TestThrottleSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		began := time.Now()
		former := topic.process(t, 0, nil)
		former.put("told", "A", hour)
		former.put("counted 1", "A", hour)
		pass(2 * saveEvery)
		former.close()
		b := topic.process(t, 2, nil)
		b.put("counted 2", "A", hour)
		b.put("next", "A", when(began.Add(time.Hour), time.Hour))
		pass(2 * saveEvery)
		if got := b.ch.ids(); !slices.Equal(got, []string{"next"}) || b.left() != 0 {
			t.Fatalf("sent %v, %d left", got, b.left())
		}
		if m := b.ch.all()[0].m; m.Suppressed != 2 || !m.SuppressedSince.Equal(began) {
			t.Errorf("it tells %d since %s", m.Suppressed, m.SuppressedSince)
		}
	})
}

// TestThrottledAlertSettlesWhileOthersGather: it does not wait for the window's end.
func TestThrottledAlertSettlesWhileOthersGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil, withDigest)
		b.put("told", "A", hour, group("XNAS"))
		pass(2 * saveEvery)
		b.put("gathered", "B", group("XNAS"))
		b.put("counted", "A", hour, group("XNAS"))
		pass(2 * saveEvery)
		if n := b.unsettled(); n > 0 || len(b.ch.ids()) != 1 || b.left() != 1 {
			t.Errorf("%d wait for the state topic, sent %v, %d left", n, b.ch.ids(), b.left())
		}
		for _, saved := range topic.last() {
			if !strings.Contains(saved, `"count":1`) {
				t.Errorf("saved %s", saved)
			}
		}
	})
}

func TestNewOwnerWaitsForThrottles(t *testing.T) {
	for known := range 2 {
		synctest.Test(t, func(t *testing.T) {
			topic := &stateTopic{}
			former := topic.process(t, 0, nil)
			former.put("told", "A", hour)
			pass(saveEvery)
			former.close()
			topic.set(func(s *stateTopic) { s.hidden = true })
			b := topic.process(t, 1, nil)
			b.put("counted", "A", hour)
			b.put("plain", "A2")
			pass(stateWithin / 2)
			if got := b.ch.ids(); len(got) > 0 {
				t.Fatalf("sent %v before the throttles and silences are known", got)
			}
			want := "[counted plain]" // neither keeps an alert for long
			if known == 1 {
				topic.set(func(s *stateTopic) { s.hidden = false })
				want = "[plain]"
			}
			pass(stateWithin)
			if got := fmt.Sprint(slices.Sorted(slices.Values(b.ch.ids()))); got != want || b.left() != 0 {
				t.Errorf("known %d: sent %s, %d left", known, got, b.left())
			}
		})
	}
}

// TestSettleWaitsForThrottle: a crash before the acknowledgement sends or counts again
// what the throttle does not know of.
func TestSettleWaitsForThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := &stateTopic{hold: make(chan struct{})}
		b := topic.process(t, 0, nil)
		b.put("told", "A", hour)
		b.put("counted", "A", hour)
		b.put("plain", "A")
		b.put("sent", "A", func(a *alert.Alert) { hour(a); a.Severity = alert.Critical })
		pass(saveEvery)
		if got := fmt.Sprint(b.ch.ids()); got != "[told plain sent]" || b.unsettled() != 3 || b.src.uncommitted() != 2 {
			t.Fatalf("sent %s, %d wait for the state topic, %d would be repeated", got, b.unsettled(), b.src.uncommitted())
		}
		close(topic.hold)
		pass(2 * saveEvery)
		if b.unsettled() != 0 || b.src.uncommitted() != 0 || b.src.inFlight != 0 {
			t.Errorf("%d wait for the state topic, %d would be repeated, %d in flight", b.unsettled(), b.src.uncommitted(), b.src.inFlight)
		}
	})
}

// TestCountIsExactAfterCrash: what was counted and not committed is read again.
func TestCountIsExactAfterCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		began := time.Now()
		former := topic.process(t, 0, nil)
		for i := range 10 {
			former.put(fmt.Sprint(i), "A", hour)
			pass(saveEvery / 3)
		}
		pass(saveEvery)
		former.put("counted and not saved", "A", hour)
		synctest.Wait()
		former.close()
		b := topic.process(t, 4, nil) // 0 to 3 were committed
		for i := 4; i < 11; i++ {
			b.put(fmt.Sprint(i), "A", when(began, time.Hour))
		}
		b.put("next", "A", when(began.Add(time.Hour), time.Hour))
		pass(2 * saveEvery)
		if all := b.ch.all(); len(all) != 1 || all[0].m.Suppressed != 10 {
			t.Errorf("sent %v", b.ch.ids())
		} else if all[0].id != "next" {
			t.Errorf("sent %s", all[0].id)
		}
	})
}

// TestLateWriteOfFormerOwnerIsOverwritten: it was paused before its write.
func TestLateWriteOfFormerOwnerIsOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := &stateTopic{hold: make(chan struct{})}
		began, hold := time.Now(), topic.hold
		zombie := topic.process(t, 0, nil)
		zombie.put("0", "A", hour)
		pass(time.Second)
		topic.set(func(s *stateTopic) { s.hold = nil })
		b := topic.process(t, 0, nil)
		b.put("0", "A", when(began, time.Hour))
		pass(time.Minute)
		b.put("1", "A", when(began.Add(time.Hour), time.Hour))
		pass(time.Minute)
		newest := topic.last()
		close(hold) // the zombie's write arrives
		synctest.Wait()
		if n := len(topic.log); n != 4 || string(topic.log[2].Value) == string(topic.log[1].Value) || fmt.Sprint(topic.last()) != fmt.Sprint(newest) {
			t.Errorf("the topic ends with %v, want %v", topic.log, newest)
		}
		zombie.close()
		b.close()
		next := topic.process(t, 2, nil)
		next.put("2", "A", when(began.Add(2*time.Hour-time.Second), time.Hour))
		if pass(time.Minute); len(next.ch.ids()) != 0 {
			t.Errorf("sent %v", next.ch.ids())
		}
	})
}

func TestUnavailableStateTopicBlocksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conditions := health.New(slog.New(slog.DiscardHandler), nil)
		topic := &stateTopic{err: errors.New("no leader")}
		b := topic.process(t, 0, conditions)
		for i := range 200 { // more than may be uncommitted
			b.put(fmt.Sprint(i), fmt.Sprint("K", i), hour)
			b.put(fmt.Sprint(i, " counted"), fmt.Sprint("K", i), hour)
		}
		pass(time.Second)
		if n := len(b.ch.ids()); n != 64 || conditions.Message(health.State, "desk") != "" {
			t.Fatalf("%d sent, condition %q", n, conditions.Message(health.State, "desk"))
		}
		pass(savePatience + 2*retrySave)
		if n := len(b.ch.ids()); n != 200 || b.left() != 0 || b.unsettled() != 0 || conditions.Message(health.State, "desk") == "" {
			t.Fatalf("%d sent, %d wait for the state topic, condition %q", n, b.unsettled(), conditions.Message(health.State, "desk"))
		}
		topic.set(func(s *stateTopic) { s.err = nil })
		pass(2 * retrySave)
		if len(topic.last()) != 200 || conditions.Message(health.State, "desk") != "" {
			t.Errorf("%d are saved in the end, condition %q", len(topic.last()), conditions.Message(health.State, "desk"))
		}
	})
}

// TestRevokedPartitionSavesThrottles before the final commit.
func TestRevokedPartitionSavesThrottles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil)
		b.ch.set(func(m channel.Message, n int) (channel.Receipt, error) {
			time.Sleep(10 * time.Millisecond)
			return channel.Receipt{}, nil
		})
		b.put("told", "A", hour)
		pass(20 * time.Millisecond)
		b.put("counted", "A", hour)
		b.put("late", "B", hour)
		synctest.Wait()
		began := time.Now()
		<-b.leave(b.src)
		if took := time.Since(began); took > saveEvery/2 || b.unsettled() != 0 || len(topic.last()) != 2 {
			t.Errorf("it took %s, %d wait for the state topic, which has %v", took, b.unsettled(), topic.last())
		}
	})
}

// TestClosedDispatcherWaitsForNoWrite, and settles nothing that was not saved.
func TestClosedDispatcherWaitsForNoWrite(t *testing.T) {
	for _, err := range []error{nil, errors.New("no leader")} {
		synctest.Test(t, func(t *testing.T) {
			topic := &stateTopic{err: err}
			if err == nil {
				topic.hold = make(chan struct{})
			}
			b := topic.process(t, 0, nil)
			b.put("told", "A", hour)
			synctest.Wait()
			left := b.leave(b.src)
			b.close()
			select {
			case <-left:
			case <-time.After(time.Minute):
				t.Error("the partition waits for what was not written")
			}
		})
	}
}

func TestThrottleThatRanOutIsDeletedFromTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil)
		other := topic.process(t, 0, nil)
		other.src.input = offsets.Input{Partition: 1}
		b.put("told", "A", hour)
		pass(2 * time.Hour)
		b.mu.Lock()
		b.throttles.Sweep(time.Now())
		b.mu.Unlock()
		b.wake()
		pass(2 * saveEvery)
		if got := topic.last(); len(got) != 1 || len(topic.log) != 2 || topic.log[1].Value != nil {
			t.Errorf("the topic has %v", topic.log)
		}
		other.mu.Lock()
		defer other.mu.Unlock()
		if other.throttles.Of(&alert.Alert{Rule: "r", Key: []string{"A"}, Throttle: time.Hour}) != nil {
			t.Error("the other process remembers it")
		}
	})
}
