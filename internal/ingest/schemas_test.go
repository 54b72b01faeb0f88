package ingest

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/health"
)

// fetched is a decoder whose records need a schema if their value begins with a zero byte,
// and a registry that fails until it is up.
type fetched struct {
	everyOne

	mu      sync.Mutex
	up      bool
	known   bool
	decoded string
	tries   int
}

// Decode implements Decoder.
func (f *fetched) Decode(rec event.Record) (event.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if rec.Value[0] == 0 && !f.known {
		return event.Event{}, &event.SchemaMissing{ID: event.SchemaID{Number: 7}}
	}
	f.decoded += string(rec.Value[len(rec.Value)-1:])
	return event.Event{}, event.ErrTombstone
}

// Fetch implements Schemas.
func (f *fetched) Fetch(ctx context.Context, _ event.SchemaID) error {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	if f.known = f.up; f.up {
		return nil
	}
	return errors.New("the registry is down")
}

// waiting is a partition whose second record needs a schema.
type waiting struct {
	*fetched
	conditions *health.Conditions
	p          *consume.Partition
	batch      *Batch
}

func newWaiting() *waiting {
	w := &waiting{fetched: new(fetched)}
	log := slog.New(slog.DiscardHandler)
	w.conditions = health.New(log, nil)
	steps := consume.NewSteps(consume.Params{Name: "ingest", Topics: []string{"t"}, Window: consume.Window{Records: 100, Bytes: 1 << 20}, Conditions: w.conditions, Logger: log})
	w.p, _ = steps.Assign("t", 0, "id", 1, nil)
	h := New(Params{Program: Program{Decoder: w.fetched, Rules: w.fetched}, Schemas: w.fetched, Topics: []string{"t"}, Logger: log, Registry: prometheus.NewRegistry()})
	var records []*kgo.Record
	for i, value := range []string{"a", "\x00b", "c"} {
		records = append(records, &kgo.Record{Topic: "t", Offset: int64(i), Value: []byte(value)})
	}
	w.batch = h.Begin(w.p, steps.Deliver(w.p, records), nil)
	return w
}

// run steps the batch as Handle does and returns whether it is settled.
func (w *waiting) run(ctx context.Context) bool {
	committed := make(chan struct{})
	for !w.batch.Step(ctx) {
		if !w.batch.await(ctx, committed) {
			return false
		}
	}
	return true
}

func TestMissingSchemaHoldsBackTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting()
		go func() {
			time.Sleep(time.Minute)
			if text := w.conditions.Text(health.Blocked); !strings.Contains(text, "t/0: the next record needs a schema: the registry is down") {
				t.Errorf("blocked: %q", text)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.decoded != "a" {
				t.Errorf("decoded %q while the schema of b is missing", w.decoded)
			}
			w.up = true
		}()
		if !w.run(t.Context()) || w.decoded != "abc" || w.tries < 60 {
			t.Errorf("decoded %q after %d tries", w.decoded, w.tries)
		}
		if text := w.conditions.Text(health.Blocked); text != "" {
			t.Errorf("blocked after the schema is known: %q", text)
		}
	})
}

func TestMissingSchemaDoesNotDelayRevoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		began := time.Now()
		settled := w.run(ctx)
		if took := time.Since(began); took > 10*time.Second+time.Millisecond || !settled || w.decoded != "a" {
			t.Errorf("settled %v after %s, decoded %q", settled, took, w.decoded)
		}
	})
}

func TestMatchWaitingReturnsOnceSchemaIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, told := newWaiting(), ""
		hold := func(reason string) { told += reason }
		r := &kgo.Record{Topic: "t", Value: []byte("\x00b")}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, _, ok := w.batch.h.MatchWaiting(ctx, r, time.Now(), time.Now(), hold); ok || told == "" {
			t.Errorf("it has an answer without the schema; told %q", told)
		}
		w.up = true
		if _, err, ok := w.batch.h.MatchWaiting(t.Context(), r, time.Now(), time.Now(), hold); !ok || !errors.Is(err, event.ErrTombstone) {
			t.Errorf("%v, %v", ok, err)
		}
	})
}
