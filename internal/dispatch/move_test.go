package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outcome"
)

// outboxes of other channels, as a test has them answer.
type shelf struct {
	mu     sync.Mutex
	answer func(e *envelope.Envelope) error // nil: taken
	taken  []*envelope.Envelope
	calls  int
}

func (s *shelf) Has(channel string) bool { return channel != "unknown" }

func (s *shelf) Put(_ context.Context, list []*envelope.Envelope, _ func(string)) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	errs := make([]error, len(list))
	for i, e := range list {
		if s.answer != nil {
			errs[i] = s.answer(e)
		}
		if errs[i] == nil {
			s.taken = append(s.taken, e)
		}
	}
	return errs
}

// rules are the names of the alerts' rules, by which tests know them.
func (s *shelf) rules() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, e := range s.taken {
		names = append(names, e.Alert.Rule)
	}
	return names
}

func (s *shelf) set(answer func(e *envelope.Envelope) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func newMoveBench(t *testing.T) (*bench, *shelf) {
	b, s := newBench(t, nil), &shelf{}
	b.p.Outboxes = s
	b.src.input = offsets.Input{Topic: "id", Partition: 2}
	return b, s
}

// wait puts an alert in that stands at an offset.
func (b *bench) wait(name, key string, offset int64, change ...func(*envelope.Envelope)) {
	a := &alert.Alert{ID: "al_" + name, Rule: name, Severity: alert.Warning, EventTime: time.Now()}
	d := &delivery{received: time.Now(), at: offsets.Position{Epoch: 1, Offset: offset}, envelope: &envelope.Envelope{Delivery: name, Alert: a, Channel: "desk"}}
	if key != "" {
		d.laneKey = []byte(key)
	}
	for _, f := range change {
		f(d.envelope)
	}
	b.add(b.src, d)
}

func moveBelow(offset int64, to string) control.Request {
	return control.Request{From: "desk", To: to, TopicID: "id", Below: map[int32]int64{2: offset}}
}

func down401(channel.Message, int) (channel.Receipt, error) {
	return channel.Receipt{}, outcome.Errorf(outcome.Credentials, "401")
}

func TestMoveTakesCoveredDeliveriesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newMoveBench(t)
		defer b.close()
		b.ch.answer = down401
		for i, key := range []string{"A", "B", "A", "", "A", "B"} {
			b.wait(fmt.Sprintf("%s%d", key, i), key, int64(i))
		}
		synctest.Wait()
		b.Move(moveBelow(5, "mail"))
		b.Move(moveBelow(5, "mail"))  // is known
		b.Move(moveBelow(6, "pager")) // what the first means goes where that says
		synctest.Wait()
		if got := s.rules(); !slices.Equal(got, []string{"A0", "B1", "A2", "3", "A4", "B5"}) {
			t.Fatalf("moved %v", got)
		}
		for i, e := range s.taken {
			want := offsets.Origin{Input: b.src.input, From: offsets.Position{Epoch: 1, Offset: int64(i)}, Done: offsets.Position{Epoch: -1}, Delivery: e.Delivery}
			to := "mail"
			if i == 5 {
				to = "pager"
			}
			if e.Channel != to || e.Delivery != alert.NewDelivery(e.Alert.ID, to) || e.From != want {
				t.Errorf("%s stands there as %s for %s, from %+v", e.Alert.Rule, e.Delivery, e.Channel, e.From)
			}
		}
		b.wait("C6", "C", 6)
		b.ch.set(nil)
		time.Sleep(2 * lastProbe)
		if sent := b.ch.ids(); sent[len(sent)-1] != "C6" || b.left() != 0 {
			t.Errorf("what came later was not sent: %v", sent)
		}
	})
}

func TestAnAttemptUnderWayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newMoveBench(t)
		defer b.close()
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
			time.Sleep(5 * time.Second)
			return channel.Receipt{}, nil
		}
		b.wait("A0", "A", 0)
		b.wait("A1", "A", 1)
		synctest.Wait()
		b.Move(moveBelow(2, "mail"))
		time.Sleep(4 * time.Second)
		if got := s.rules(); len(got) != 0 {
			t.Errorf("moved %v although the one before is being sent", got)
		}
		time.Sleep(2 * time.Second)
		if got := s.rules(); !slices.Equal(got, []string{"A1"}) || b.left() != 0 {
			t.Errorf("moved %v", got)
		}
	})
}

func TestUnwritableOutboxBlocksTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newMoveBench(t)
		defer b.close()
		b.ch.answer = down401
		s.answer = func(*envelope.Envelope) error { return errors.New("no leader") }
		for i := range 3 {
			b.wait(fmt.Sprint("A", i), "A", int64(i))
		}
		synctest.Wait()
		b.Move(moveBelow(3, "mail"))
		b.ch.set(nil) // it works again, and what may be there already is not sent here
		time.Sleep(10 * lastProbe)
		if n := len(b.ch.all()); n > 1 || b.left() != 3 {
			t.Errorf("%d attempts, %d left", n, b.left())
		}
		if s.calls < 20 || s.calls > 200 {
			t.Errorf("it was tried %d times in ten minutes", s.calls)
		}
		s.set(nil)
		time.Sleep(10 * time.Second)
		if got := s.rules(); !slices.Equal(got, []string{"A0", "A1", "A2"}) || b.left() != 0 {
			t.Errorf("moved %v", got)
		}
	})
}

func TestOversizedMoveBecomesADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newMoveBench(t)
		defer b.close()
		b.ch.answer = down401
		s.answer = func(e *envelope.Envelope) error {
			if e.Alert.Rule == "A1" {
				return kerr.MessageTooLarge
			}
			return nil
		}
		for i := range 3 {
			b.wait(fmt.Sprint("A", i), "A", int64(i))
		}
		b.Move(moveBelow(3, "mail"))
		time.Sleep(10 * time.Second)
		dead := b.dead.all()
		if len(dead) != 1 || dead[0].ID != "A1" || dead[0].Cause != outcome.AlertTooLarge || !strings.Contains(dead[0].Detail, "outbox of mail") {
			t.Errorf("dead letters %+v", dead)
		}
		if got := s.rules(); got[0] != "A0" || got[len(got)-1] != "A2" || b.left() != 0 {
			t.Errorf("moved %v", got)
		}
	})
}

// TestReplayKeepsItsEntryID: its outcome elsewhere closes it.
func TestReplayKeepsItsEntryID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newMoveBench(t)
		defer b.close()
		b.ch.answer = down401
		b.wait("dl_entry", "", 0, func(e *envelope.Envelope) {
			e.Replay = &envelope.Replay{Entry: "dl_entry", Version: 7, Number: 1, Delivered: []string{"ann"}}
		})
		b.Move(moveBelow(1, "mail"))
		synctest.Wait()
		e := s.taken[0]
		if e.Delivery != "dl_entry" || !e.Resolves() || e.From.Delivery != "dl_entry@7" || e.Replay.Delivered != nil {
			t.Errorf("it stands there as %+v, %+v", e, e.Replay)
		}
	})
}

func TestARequestThatMeansNothingHereChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newMoveBench(t)
		defer b.close()
		b.ch.answer = down401
		b.wait("A0", "A", 0)
		other := moveBelow(1, "mail")
		other.TopicID = "of a recreated topic"
		b.Move(other)
		b.Move(moveBelow(1, "unknown"))
		time.Sleep(3 * lastProbe)
		if len(s.taken) != 0 || b.left() != 1 || len(b.ch.all()) < 3 {
			t.Errorf("moved %v, %d left, %d attempts", s.rules(), b.left(), len(b.ch.all()))
		}
	})
}

// TestMovesAreForgottenWhenTheyEnd, and shown until then.
func TestMovesAreForgottenWhenTheyEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := newMoveBench(t)
		defer b.close()
		b.ch.answer = down401
		first, second := moveBelow(2, "mail"), moveBelow(4, "mail")
		first.By, second.By, second.Offset = "ann", "ann", 9
		for _, q := range []control.Request{first, second} {
			b.Move(q)
		}
		if got := b.Status().Moving; !slices.Equal(got, []Moving{{"mail", "ann"}}) {
			t.Errorf("shown: %v", got)
		}
		b.MoveEnded(first)
		b.MoveEnded(first) // is forgotten already
		b.wait("A3", "A", 3)
		synctest.Wait()
		if got := s.rules(); !slices.Equal(got, []string{"A3"}) || len(b.Status().Moving) != 1 {
			t.Errorf("moved %v: the second is in force", got)
		}
		b.MoveEnded(second)
		b.wait("B1", "B", 1)
		synctest.Wait()
		if got := s.rules(); len(got) != 1 || len(b.Status().Moving) != 0 || b.left() != 1 {
			t.Errorf("moved %v although none is in force", got)
		}
	})
}
