package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outbox"
)

// assigned takes records of an outbox in, as a partition without brokers.
func (b *bench) assigned(n int) (*consume.Steps, *consume.Partition) {
	b.t.Helper()
	return b.assignedOf(n, func(int) string { return "r" })
}

// assignedOf is assigned of several rules.
func (b *bench) assignedOf(n int, rule func(i int) string) (*consume.Steps, *consume.Partition) {
	b.t.Helper()
	steps := consume.NewSteps(consume.Params{
		Name: "dispatch", OwnTopics: true, Topics: []string{"outbox"},
		Window: consume.Window{Records: 4096, Bytes: 64 << 20}, Logger: slog.New(slog.DiscardHandler),
	})
	p, _ := steps.Assign("outbox", 0, "id", 0, nil)
	a := NewHandler(HandlerParams{Outboxes: map[string]*Dispatcher{"outbox": b.Dispatcher}, Logger: slog.New(slog.DiscardHandler)}).Assign(p)
	var records []*kgo.Record
	for i := range n {
		e := &envelope.Envelope{
			Source: envelope.Source{Topic: "trade-executions", Offset: int64(i)}, Delivery: fmt.Sprint("dl_", i), Channel: "desk",
			Alert: &alert.Alert{Rule: rule(i), Severity: alert.Warning, EventTime: time.Now()},
		}
		r := outbox.Record(e, "outbox", 1)
		r.Offset = int64(i)
		records = append(records, r)
	}
	a.Take(context.Background(), steps.Deliver(p, records))
	steps.Commit(p) // which claims them
	return steps, p
}

// What is under way when the limit comes into sight counts too: all of it can
// end before the next commit.
func TestUncommittedDeliveriesStayWithinTheirLimit(t *testing.T) {
	for _, concurrency := range []int{1, 3, 100} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Concurrency = concurrency })
			defer b.close()
			b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
				time.Sleep(time.Second)
				return channel.Receipt{}, nil
			}
			steps, p := b.assigned(200)
			time.Sleep(10 * time.Minute)
			if n := p.Uncommitted(); n != 64 {
				t.Fatalf("concurrency %d: %d are settled and not committed, want 64", concurrency, n)
			}
			steps.Commit(p)
			time.Sleep(10 * time.Minute)
			if n := len(b.ch.ids()); n != 128 {
				t.Fatalf("concurrency %d: %d sent after a commit, want 128", concurrency, n)
			}
		})
	}
}

// A probe is an attempt like any other: it waits for the commit too.
func TestProbesWaitForTheCommitToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Concurrency = 1 })
		defer b.close()
		fail := 0
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
			if fail++; fail > 64 && fail <= 69 {
				return channel.Receipt{}, errDown
			}
			return channel.Receipt{}, nil
		}
		b.lanes.uncommitted, b.p.Uncommitted, b.ahead = 66, 70, 70
		_, p := b.assigned(200)
		time.Sleep(time.Hour)
		if n := p.Uncommitted(); n != 66 {
			t.Fatalf("%d are settled and not committed, want 66", n)
		}
	})
}

func TestDeliveryWaitsForItsDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, errRefused }
		b.dead.fail(errors.New("no leader"))
		_, p := b.assigned(1)
		time.Sleep(time.Hour)
		if n := p.Uncommitted(); n != 0 {
			t.Errorf("%d are settled while no dead letter can be written", n)
		}
		b.dead.fail(nil)
		time.Sleep(time.Minute)
		if n := p.Uncommitted(); n != 1 || len(b.dead.ids()) != 1 {
			t.Errorf("%d are settled, and there are %d dead letters", n, len(b.dead.ids()))
		}
	})
}

func TestLateFailureSettlesNothing(t *testing.T) {
	for name, late := range map[string]struct {
		err     error
		settled int
	}{"failed": {errDown, 0}, "refused": {errRefused, 0}, "delivered": {nil, 1}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			defer b.close()
			release := make(chan struct{})
			b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
				<-release
				return channel.Receipt{}, late.err
			}
			_, p := b.assigned(1)
			synctest.Wait()
			drained := b.leave(b.lanes.sources[1])
			close(release)
			<-drained
			if n := p.Uncommitted(); n != late.settled {
				t.Errorf("%s: %d are settled, want %d", name, n, late.settled)
			}
		})
	}
}

// The message went to some of its recipients, and the partition was lost before
// the dead letter of the others was written. Back in the same process, its own
// throttle must not take it for one that was sent.
func TestAnAlertIsNotThrottledByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) {
			return channel.Receipt{Refused: []channel.Refusal{{Recipient: "gone@x", Err: errRefused}}}, nil
		}
		b.dead.err = errors.New("wrap: no topic")
		hour := func(a *alert.Alert) { a.Throttle = time.Hour }
		b.put("1", "A", hour)
		time.Sleep(time.Minute)
		b.leave(b.src)
		b.src = &source{}
		b.join(b.src)
		b.dead.mu.Lock()
		b.dead.err = nil
		b.dead.mu.Unlock()
		b.put("1", "A", hour)
		b.put("2", "A", hour)
		time.Sleep(time.Minute)
		if got := b.dead.ids(); !slices.Equal(got, []string{"1"}) || b.left() != 0 {
			t.Fatalf("dead letters %v, left %d: nobody knows that gone@x got nothing", got, b.left())
		}
		if got := b.ch.ids(); !slices.Equal(got, []string{"1", "1"}) {
			t.Fatalf("sent %v: the second alert is throttled", got)
		}
	})
}
