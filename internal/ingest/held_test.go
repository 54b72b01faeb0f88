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
			h := New(Params{Program: Program{Decoder: decoder, Rules: decoder}, Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if _, err := h.Match(&kgo.Record{Topic: "t", Value: tc.value}, time.Now(), time.Now()); err != nil {
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
		b    *Batch
		full bool
	}{
		"quiet": {&Batch{}, false}, "a little": {&Batch{out: Output{held: maxHeld}, first: at, latest: at.Add(maxBatch)}, false},
		"some alerts": {&Batch{raised: 4}, false}, "half of what may be uncommitted": {&Batch{raised: 5}, true},
		"much": {&Batch{out: Output{held: maxHeld + 1}}, true}, "long": {&Batch{first: at, latest: at.Add(maxBatch + 1)}, true},
	} {
		tc.b.h = &Handler{p: Params{Uncommitted: 10}}
		if tc.b.full() != tc.full {
			t.Errorf("%s: %v", name, !tc.full)
		}
	}
}

// TestUnmatchedRecordStaysSuspected: when the assignment ends before it, it
// stays suspected of what killed the process.
func TestUnmatchedRecordStaysSuspected(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	steps := consume.NewSteps(consume.Params{Name: "ingest", Topics: []string{"t"}, Window: consume.Window{Records: 100, Bytes: 1 << 20}, Logger: log})
	p, _ := steps.Assign("t", 0, "id", 20, nil)
	h := New(Params{Program: Program{Decoder: still{}, Rules: still{}}, Topics: []string{"t"}, Logger: log, Registry: prometheus.NewRegistry()})
	records := []*kgo.Record{{Topic: "t", Offset: 7, Value: []byte("{}")}, {Topic: "t", Offset: 9, Value: []byte("{}")}}
	if b := h.Begin(p, records, nil); !b.Step(t.Context()) || b.last != 9 || b.until.Offset != 9 {
		t.Errorf("matched up to %d", b.last)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if b := h.Begin(p, records, nil); !b.Step(ended) || b.last != 6 || b.until != nil {
		t.Errorf("after the assignment's end matched up to %d", b.last)
	}
}
