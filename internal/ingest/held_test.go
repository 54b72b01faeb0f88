package ingest

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/event"
)

// slow takes a second to decode a record, and counts how many it has at once.
type slow struct {
	still
	now, most *atomic.Int32
}

// Decode implements Decoder.
func (s slow) Decode(event.Record) (event.Event, error) {
	n := s.now.Add(1)
	for old := s.most.Load(); n > old && !s.most.CompareAndSwap(old, n); old = s.most.Load() {
	}
	time.Sleep(time.Second)
	s.now.Add(-1)
	return event.Event{}, nil
}

// TestFewLargeEventsAreInMemoryAtOnce: of as many partitions as there may be.
func TestFewLargeEventsAreInMemoryAtOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		value []byte
		want  int32
	}{
		"gzip": {[]byte("\x1f\x8b"), largeAtOnce}, "zstd": {[]byte("\x28\xb5\x2f\xfd"), largeAtOnce}, "plain": {[]byte("{}"), 20},
		"plain and small": {bytes.Repeat([]byte(" "), smallValue), 20}, "plain and large": {bytes.Repeat([]byte(" "), smallValue+1), largeAtOnce},
	} {
		synctest.Test(t, func(t *testing.T) {
			decoder := slow{now: new(atomic.Int32), most: new(atomic.Int32)}
			h := New(Params{Decoder: decoder, Rules: decoder, Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if _, err := h.match(&kgo.Record{Topic: "t", Value: tc.value}, time.Now(), time.Now()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if got := decoder.most.Load(); got != tc.want {
				t.Errorf("%s: %d at once, want %d", name, got, tc.want)
			}
		})
	}
}

func TestABatchIsSettledInParts(t *testing.T) {
	at := time.Unix(1, 0)
	for name, tc := range map[string]struct {
		b    batch
		full bool
	}{
		"quiet": {batch{}, false}, "a little": {batch{held: maxHeld, first: at, last: at.Add(maxBatch)}, false},
		"much": {batch{held: maxHeld + 1}, true}, "long": {batch{first: at, last: at.Add(maxBatch + 1)}, true},
	} {
		if tc.b.full() != tc.full {
			t.Errorf("%s: %v", name, !tc.full)
		}
	}
}

// TestARecordThatWasNotLookedAtIsNotHandled: when the assignment ends before it, it
// stays suspected of what killed the process.
func TestARecordThatWasNotLookedAtIsNotHandled(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	steps := consume.NewSteps(consume.Params{Name: "match", Topics: []string{"t"}, Window: consume.Window{Records: 100, Bytes: 1 << 20}, Logger: log})
	p, _ := steps.Assign("t", 0, "id", 20, nil)
	h := New(Params{Decoder: still{}, Rules: still{}, Topics: []string{"t"}, Logger: log, Registry: prometheus.NewRegistry()})
	records := []*kgo.Record{{Topic: "t", Offset: 7, Value: []byte("{}")}, {Topic: "t", Offset: 9, Value: []byte("{}")}}
	if b, last, ok := h.look(t.Context(), p, records); !ok || last != 9 || b.until.Offset != 9 {
		t.Errorf("looked at up to %d: %v", last, ok)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, last, ok := h.look(ended, p, records); ok || last != 6 {
		t.Errorf("after the assignment's end looked at up to %d: %v", last, ok)
	}
}
