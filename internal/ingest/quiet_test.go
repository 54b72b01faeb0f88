package ingest

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/obs/tracing/tracingtest"
)

// still decodes everything and matches nothing, without allocating.
type still struct{}

// Decode implements Decoder.
func (still) Decode(event.Record) (event.Event, error) { return event.Event{}, nil }

// Match implements Rules.
func (still) Match(*event.Event, time.Time) ([]alert.Alert, error) { return nil, nil }

// TestARecordThatRaisesNothingCostsNoTracing: with a tracer and without, and
// whatever its producer says, nothing is allocated but the event, and what the
// decoder is given of the headers.
func TestARecordThatRaisesNothingCostsNoTracing(t *testing.T) {
	collector := tracingtest.Start(t)
	cfg := tracing.Config{Ratio: 1}
	if err := cfg.SetEndpoint(collector.URL); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	tracer := tracing.New(tracing.Params{Config: cfg, Logger: log})
	headers := []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}}
	for name, tc := range map[string]struct {
		tracer  *tracing.Tracer
		headers []kgo.RecordHeader
		want    float64
	}{
		"off": {nil, nil, 1}, "on": {tracer, nil, 1}, "off, traced": {nil, headers, 2}, "on, traced": {tracer, headers, 2},
	} {
		h := New(Params{Decoder: still{}, Rules: still{}, Topics: []string{"t"}, Tracer: tc.tracer, Logger: log, Registry: prometheus.NewRegistry()})
		b := &Batch{h: h, count: h.metrics.topic("t")}
		r := &kgo.Record{Topic: "t", Value: []byte("{}"), Headers: tc.headers}
		if got := testing.AllocsPerRun(1000, func() { b.record(r) }); got != tc.want {
			t.Errorf("%s: %v allocations a record, want %v", name, got, tc.want)
		}
	}
	tracer.Close()
	if list := collector.Spans(); len(list) > 0 {
		t.Errorf("there are spans: %v", tracingtest.Names(list))
	}
}
