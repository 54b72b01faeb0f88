package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
)

// brokers is an outbox.Broker and a DeadLetters that answer as the test says.
type brokers struct {
	answer  func(n int, key string) error // of the nth record produced; errPending: none yet
	log     []string                      // keys in the order in which they were produced
	pending []func(error)                 // their answers
	logger  *slog.Logger                  // nil: none
	dead    []*dlq.Entry
}

var errPending = errors.New("pending")

// Produce implements outbox.Broker.
func (b *brokers) Produce(r *kgo.Record, promise func(*kgo.Record, error)) {
	n := len(b.log)
	b.log = append(b.log, string(r.Key))
	err := b.answer(n, string(r.Key))
	if errors.Is(err, errPending) {
		b.pending = append(b.pending, func(err error) { promise(r, err) })
		return
	}
	promise(r, err)
}

// LookUp implements outbox.Broker.
func (b *brokers) LookUp(context.Context, string) (string, int32, error) { return "id", 1, nil }

// Forget implements outbox.Broker.
func (b *brokers) Forget(string) {}

// Write implements DeadLetters.
func (b *brokers) Write(_ context.Context, entries ...*dlq.Entry) error {
	b.dead = append(b.dead, entries...)
	return nil
}

// CloseEntries implements DeadLetters.
func (b *brokers) CloseEntries(context.Context, ...*dlq.Closure) error { return nil }

// newOutput returns an output that has sent a record of each key.
func newOutput(t *testing.T, b *brokers, keys ...string) *Output {
	t.Helper()
	log := cmp.Or(b.logger, slog.New(slog.DiscardHandler))
	steps := consume.NewSteps(consume.Params{Name: "ingest", Topics: []string{"t"}, Window: consume.Window{Records: 100, Bytes: 1 << 20}, Logger: log})
	p, _ := steps.Assign("t", 0, "id", 20, nil)
	producer := outbox.New(outbox.Params{Broker: b, Group: "g", Channels: []string{"hook"}, Logger: log})
	if err := producer.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := New(Params{Group: "g", Outboxes: producer, Dead: b, Logger: log}).Output(p)
	for i, key := range keys {
		o.Send(&envelope.Envelope{
			Source: envelope.Source{Topic: "t", Offset: int64(i), Key: []byte(key), Value: []byte("{}"), Time: time.Unix(1, 0)},
			Alert:  &alert.Alert{Rule: "r"}, Channel: "hook", Delivery: "dl_" + key,
		})
	}
	return o
}

// A client sends what is produced after a failure, so nothing is produced then.
func TestNothingOvertakesAFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &brokers{answer: func(n int, _ string) error {
			if n == 1 || n == 2 {
				return kerr.PolicyViolation
			}
			return nil
		}}
		if o := newOutput(t, b, "a", "b", "c", "d"); !o.Settle(t.Context()) || o.held != 0 {
			t.Errorf("not settled, %d bytes held", o.held)
		}
		if got, want := fmt.Sprint(b.log), "[a b b b c d]"; got != want {
			t.Errorf("produced %s, want %s", got, want)
		}
	})
}

// Brokers refuse whole batches for their size.
func TestRefusedRecordsAreWrittenAloneOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &brokers{answer: func(n int, key string) error {
			if n < 1 || key == "large" {
				return kerr.MessageTooLarge
			}
			return nil
		}}
		if !newOutput(t, b, "small", "large").Settle(t.Context()) {
			t.Fatal("not settled")
		}
		if got, want := fmt.Sprint(b.log), "[small small large large]"; got != want {
			t.Errorf("produced %s, want %s", got, want)
		}
		if len(b.dead) != 1 || b.dead[0].ID != "dl_large" || b.dead[0].Cause != outcome.AlertTooLarge {
			t.Errorf("dead letters: %+v", b.dead)
		}
	})
}

func TestRevokedOutputAwaitsAnswersForTheGrace(t *testing.T) {
	for name, tc := range map[string]struct {
		answered time.Duration
		settled  bool
	}{
		"within it": {consume.RevokeGrace / 2, true},
		"later":     {consume.RevokeGrace, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &brokers{answer: func(int, string) error { return errPending }}
			o := newOutput(t, b, "a", "b")
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			time.AfterFunc(tc.answered, func() {
				for _, answer := range b.pending {
					answer(nil)
				}
			})
			if got := o.Settle(ctx); got != tc.settled {
				t.Errorf("answered %s: settled: %v", name, got)
			}
			if o.held != 0 {
				t.Errorf("answered %s: %d bytes held", name, o.held)
			}
		})
	}
}

func TestRevokedOutputWritesNothingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &brokers{answer: func(int, string) error { return kerr.NotEnoughReplicas }}
		o := newOutput(t, b, "a")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if o.Settle(ctx) || strings.Join(b.log, "") != "a" {
			t.Errorf("produced %v", b.log)
		}
	})
}
