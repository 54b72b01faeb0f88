package dlq_test

import (
	"log/slog"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// forged is an entry's record with some of its headers set to something else.
func forged(id string, headers map[string]string) *kgo.Record {
	r := entry(id, []byte("{}")).Encode(topics.DeadLetter("g", topics.TradeExecutions))
	r.Timestamp = failed.Add(time.Minute)
	for i, h := range r.Headers {
		if v, ok := headers[h.Key]; ok {
			r.Headers[i].Value = []byte(v)
		}
	}
	return r
}

// TestForgedEntriesAreMalformed: they are listed and can be discarded, and are
// never sent again.
func TestForgedEntriesAreMalformed(t *testing.T) {
	if e := dlq.Parse(forged("re_1", nil)); e.State != dlq.Open {
		t.Fatalf("%+v", e)
	}
	long := strings.Repeat("x", 100)
	for name, headers := range map[string]map[string]string{
		"a topic that is no source":   {"notifier.source-topic": "payments"},
		"another topic's":             {"notifier.source-topic": "portfolio-updates"},
		"a negative offset":           {"notifier.source-offset": "-9"},
		"an unknown reason":           {"notifier.reason": "spite"},
		"a cause without end":         {"notifier.cause": long},
		"a cause of two lines":        {"notifier.cause": "a\nb"},
		"a scope of two lines":        {"notifier.scope": "a\nb"},
		"replays without end":         {"notifier.replays": strconv.Itoa(math.MaxInt)},
		"attempts without end":        {"notifier.attempts": strconv.Itoa(math.MaxInt)},
		"negative replays":            {"notifier.replays": "-1"},
		"a state that is not written": {"notifier.state": "waiting"},
	} {
		if e := dlq.Parse(forged("re_1", headers)); e.State != dlq.Malformed {
			t.Errorf("%s: %s", name, e.State)
		}
	}
	for _, key := range []string{long, "a b", "é", "re_1\n"} {
		if e := dlq.Parse(forged(key, nil)); e.State != dlq.Malformed {
			t.Errorf("the key %q: %s", key, e.State)
		}
	}
}

// TestImplausibleEntryTimeBecomesRecordTime, and where that has none
// either, now.
func TestImplausibleEntryTimeBecomesRecordTime(t *testing.T) {
	written := failed.Add(time.Minute)
	for _, bad := range []string{"1970-01-21T10:44:04Z", "2999-01-01T00:00:00Z", "0042-01-01T00:00:00Z"} {
		e := dlq.Parse(forged("re_1", map[string]string{"notifier.first-failed": bad, "notifier.last-failed": bad}))
		if e.State != dlq.Open || !e.FirstFailed.Equal(written) || !e.LastFailed.Equal(written) {
			t.Errorf("%s: %s, from %s to %s", bad, e.State, e.FirstFailed, e.LastFailed)
		}
		r := forged("re_1", map[string]string{"notifier.first-failed": bad})
		r.Timestamp = time.UnixMilli(failed.Unix())
		before := time.Now()
		if e := dlq.Parse(r); e.FirstFailed.Before(before) || e.FirstFailed.After(time.Now()) || !e.LastFailed.Equal(failed) {
			t.Errorf("%s: from %s to %s", bad, e.FirstFailed, e.LastFailed)
		}
	}
	r := &kgo.Record{Topic: topics.DeadLetter("g", topics.TradeExecutions), Key: []byte("x"), Value: []byte("y"), Timestamp: time.UnixMilli(math.MaxInt64)}
	if e := dlq.Parse(r); e.State != dlq.Malformed || e.LastFailed.Year() > 2900 {
		t.Errorf("%s of %s", e.State, e.LastFailed)
	}
}

// TestImplausibleTombstoneTimeBecomesRecordTime as those of entries are.
func TestImplausibleTombstoneTimeBecomesRecordTime(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	write(t, w, entry("re_1", nil))
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	r := dlq.Closure{Topic: topics.DeadLetter(c.Group, topics.TradeExecutions), Key: []byte("re_1"), Closing: dlq.Closing{State: dlq.Discarded, By: "ann", At: time.UnixMilli(1)}}.Encode()
	r.Timestamp = time.UnixMilli(failed.UnixMicro())
	before := time.Now()
	if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	found := false
	err := dlq.NewReader(c.Client(), c.Group).Each(t.Context(), dlq.Query{Closed: true}, func(e *dlq.Entry) bool {
		found = true
		if at := e.Closed.At; at.Before(before) || at.After(time.Now()) {
			t.Errorf("closed at %s", at)
		}
		return true
	})
	if err != nil || !found {
		t.Error(err, found)
	}
}

// TestOldestGaugeIgnoresImplausibleTimes: an entry that says it failed in 1970,
// or in 2999, is as old as its record.
func TestOldestGaugeIgnoresImplausibleTimes(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	reg := prometheus.NewPedanticRegistry()
	g := dlq.NewGauges(reg)
	for i, at := range []time.Time{time.UnixMilli(failed.Unix()), time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC), time.Now().Add(-time.Hour)} {
		e := entry("re_"+strconv.Itoa(i), nil)
		e.FirstFailed = at
		write(t, w, e)
	}
	g.Show(indexing(t, c))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != "notifier_dead_letter_oldest_seconds" || m.GetLabel()[0].GetValue() != string(topics.TradeExecutions) {
				continue
			}
			if age := m.GetGauge().GetValue(); age < 3590 || age > 3700 {
				t.Errorf("the oldest failed %v s ago, want an hour", age)
			}
		}
	}
}

// TestWritesCreateNoSeries: the labels are those of our lists, whatever the entry
// names.
func TestWritesCreateNoSeries(t *testing.T) {
	c := testkafka.Start(t, nil)
	reg := prometheus.NewPedanticRegistry()
	w := dlq.NewWriter(dlq.WriterParams{Client: c.Client(append(kafka.DeadLetterOptions(kafka.MaxMessageBytes(c.Shapes(nil))), kgo.UnknownTopicRetries(1))...), Group: c.Group, Logger: slog.New(slog.DiscardHandler), Registry: reg})
	series := func() (n int) {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			n += len(f.GetMetric())
		}
		return n
	}
	before := series()
	e := entry("re_1", nil)
	e.Envelope.Source.Topic = "payments"
	if err := w.Write(t.Context(), e); err == nil {
		t.Error("it was written to a topic without readers")
	}
	e = entry("re_2", nil)
	e.Reason = outcome.Reason("spite")
	if err := w.Write(t.Context(), e); err != nil {
		t.Error(err)
	}
	if after := series(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}
