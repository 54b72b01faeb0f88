package ingest

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/obs/tracing/tracingtest"
	"github.com/algotrade/notifier/internal/rule"
)

// still decodes everything and matches nothing, without allocating.
type still struct{}

// Decode implements Decoder.
func (still) Decode(event.Record) (event.Event, error) { return event.Event{}, nil }

// Match implements Rules.
func (still) MatchKnown(*event.Event, time.Time, *rule.Resolved) ([]alert.Alert, error) {
	return nil, nil
}

// decodes counts the records that are decoded, and calls every record quiet.
type decodes struct {
	still
	n int
}

// Decode implements Decoder.
func (d *decodes) Decode(event.Record) (event.Event, error) {
	d.n++
	return event.Event{}, nil
}

// Quiet implements Prefilter.
func (*decodes) Quiet(event.Record, time.Time, *rule.Resolved) bool { return true }

func TestQuietRecordsAreNotDecoded(t *testing.T) {
	for name, tc := range map[string]struct {
		headers []kgo.RecordHeader
		decoded int
	}{
		"no header":               {nil, 0},
		"other headers":           {[]kgo.RecordHeader{{Key: "content-type", Value: []byte("application/json")}, {Key: "ce_time"}}, 0},
		"a binary CloudEvent":     {[]kgo.RecordHeader{{Key: "trace"}, {Key: "CE_ID"}}, 1},
		"a structured CloudEvent": {[]kgo.RecordHeader{{Key: "Content-Type", Value: []byte(" application/CloudEvents+json; charset=utf-8")}}, 1},
		"an extraordinary number": {make([]kgo.RecordHeader, 60_000), 1},
	} {
		d := &decodes{}
		h := New(Params{Program: Program{Decoder: d, Rules: d, Prefilter: d}, Topics: []string{"t"}, Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
		b := &Batch{h: h, count: h.metrics.topic("t")}
		b.record(t.Context(), &kgo.Record{Topic: "t", Value: []byte("{}"), Headers: tc.headers})
		if ignored := testutil.ToFloat64(b.count.ignored); d.n != tc.decoded || ignored != 1 {
			t.Errorf("%s: %d records decoded, %v ignored", name, d.n, ignored)
		}
	}
}

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
		h := New(Params{Program: Program{Decoder: still{}, Rules: still{}}, Topics: []string{"t"}, Tracer: tc.tracer, Logger: log, Registry: prometheus.NewRegistry()})
		b := &Batch{h: h, count: h.metrics.topic("t")}
		r := &kgo.Record{Topic: "t", Value: []byte("{}"), Headers: tc.headers}
		if got := testing.AllocsPerRun(1000, func() { b.record(t.Context(), r) }); got != tc.want {
			t.Errorf("%s: %v allocations a record, want %v", name, got, tc.want)
		}
	}
	tracer.Close()
	if list := collector.Spans(); len(list) > 0 {
		t.Errorf("there are spans: %v", tracingtest.Names(list))
	}
}
