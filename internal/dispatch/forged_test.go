package dispatch

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outbox"
)

// takes has records of an outbox taken in, in a partition without brokers.
func (b *bench) takes(records ...*kgo.Record) *consume.Partition {
	b.t.Helper()
	steps := consume.NewSteps(consume.Params{
		Name: "dispatch", OwnTopics: true, Topics: []string{"outbox"}, Window: consume.Window{Records: 4096, Bytes: 64 << 20}, Logger: slog.New(slog.DiscardHandler),
	})
	p, _ := steps.Assign("outbox", 0, "id", 0, nil)
	a := NewHandler(HandlerParams{Outboxes: map[string]*Dispatcher{"outbox": b.Dispatcher}, Dead: ended{}, Logger: slog.New(slog.DiscardHandler)}).Assign(p)
	for i, r := range records {
		r.Offset = int64(i)
	}
	steps.Commit(p) // which claims what comes
	a.Take(b.t.Context(), steps.Deliver(p, records))
	return p
}

// outboxRecord is what our own writer puts there, but for what change makes of
// it.
func outboxRecord(id string, change ...func(*envelope.Envelope)) *kgo.Record {
	e := &envelope.Envelope{
		Source: envelope.Source{Topic: "trade-executions", Value: []byte("{}"), Time: time.Now()}, Delivery: id, Channel: "desk",
		Alert: &alert.Alert{ID: "al_" + id, Rule: "r", Severity: alert.Warning, Topic: "trade-executions", EventTime: time.Now()},
	}
	for _, f := range change {
		f(e)
	}
	r := outbox.Record(e, "outbox", 1)
	r.Timestamp = time.Now()
	return r
}

// TestForgedOutboxRecordsAreSkipped, settled and counted, whatever they name:
// none of them is held, and none makes a metric's series.
func TestForgedOutboxRecordsAreSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		reg := prometheus.NewPedanticRegistry()
		b.metrics = NewMetrics(reg).channel("desk")
		before, err := testutil.GatherAndCount(reg)
		if err != nil {
			t.Fatal(err)
		}
		forged := []*kgo.Record{
			outboxRecord("dl_1", func(e *envelope.Envelope) { e.Source.Topic = "payments" }),
			outboxRecord("dl_2", func(e *envelope.Envelope) { e.Channel = "pager" }),
			outboxRecord("dl_3", func(e *envelope.Envelope) { e.Channel = "" }),
			outboxRecord("dl_4", func(e *envelope.Envelope) { e.Alert.Severity = "fatal" }),
			outboxRecord("dl_5\r\nx: y"),
			outboxRecord("dl_6", func(e *envelope.Envelope) {
				e.Source.Topic, e.Replay = "payments", &envelope.Replay{Entry: "dl_6", Version: 1 << 60, Number: 1}
			}),
			{Value: []byte("hello")},
		}
		p := b.takes(append(forged, outboxRecord("dl_good", func(e *envelope.Envelope) { e.Alert.Rule = "rule-that-was-removed" }))...)
		synctest.Wait()
		if got := b.ch.ids(); !slices.Equal(got, []string{"dl_good"}) || b.left() != 0 || p.Uncommitted() != len(forged)+1 {
			t.Errorf("sent %q, %d are left, %d are settled", got, b.left(), p.Uncommitted())
		}
		if n := testutil.ToFloat64(b.metrics.m.foreign.WithLabelValues("desk")); n != float64(len(forged)) {
			t.Errorf("%v foreign records are counted of %d", n, len(forged))
		}
		if after, err := testutil.GatherAndCount(reg); err != nil || after != before {
			t.Errorf("%d series became %d, %v", before, after, err)
		}
	})
}

// TestImplausibleEventTimesAreThoseOfTheRecord: nothing expires by them, and
// nothing is shown as decades late or from the future.
func TestImplausibleEventTimesAreThoseOfTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(30 * 24 * time.Hour)
		b := newBench(t, nil)
		defer b.close()
		now := time.Now()
		at := func(event, recorded time.Time) *kgo.Record {
			r := outboxRecord("dl_x", func(e *envelope.Envelope) { e.Alert.EventTime, e.Alert.Expire = event, time.Hour })
			r.Timestamp = recorded
			return r
		}
		minute := now.Add(-time.Minute)
		b.takes(
			at(minute, now), at(time.Time{}, minute), at(time.UnixMilli(now.Unix()), minute), at(now.AddDate(80, 0, 0), minute),
			at(time.UnixMilli(now.Unix()), time.UnixMilli(now.Unix())), at(now.Add(-2*time.Hour), now), at(time.Time{}, now.Add(-2*time.Hour)),
		)
		synctest.Wait()
		var got []time.Duration
		for _, s := range b.ch.all() {
			got = append(got, now.Sub(s.m.Alert.EventTime))
		}
		slices.Sort(got)
		if want := []time.Duration{0, time.Minute, time.Minute, time.Minute, time.Minute}; !slices.Equal(got, want) || b.left() != 0 {
			t.Errorf("sent with ages %v, want %v", got, want)
		}
	})
}

// TestThrottleIsTheAlertsOwn: a record with a throttle of a century keeps no
// later alert from being sent for longer than that alert's own rule says.
func TestThrottleIsTheAlertsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		b.put("forged", "A", func(a *alert.Alert) { a.Throttle = 100 * 365 * 24 * time.Hour })
		synctest.Wait()
		minute := func(a *alert.Alert) { a.Throttle = time.Minute }
		b.put("within", "A", minute)
		time.Sleep(time.Minute)
		b.put("after", "A", minute)
		synctest.Wait()
		if got := b.ch.ids(); !slices.Equal(got, []string{"forged", "after"}) {
			t.Errorf("sent %v", got)
		}
	})
}

// TestDeadLetterOfForgedRuleMakesNoSeries: what is counted of it has the labels
// of our lists.
func TestDeadLetterOfForgedRuleMakesNoSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		reg := prometheus.NewPedanticRegistry()
		b.metrics = NewMetrics(reg).channel("desk")
		b.ch.answer = func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, errRefused }
		before, _ := testutil.GatherAndCount(reg)
		b.takes(outboxRecord("dl_1", func(e *envelope.Envelope) { e.Alert.Rule = "no-such-rule" }))
		synctest.Wait()
		if after, err := testutil.GatherAndCount(reg); err != nil || after != before || len(b.dead.all()) != 1 {
			t.Errorf("%d series became %d, %v; %d dead letters", before, after, err, len(b.dead.all()))
		}
		families, _ := reg.Gather()
		for _, f := range families {
			if strings.Contains(f.String(), "no-such-rule") {
				t.Errorf("%s", f)
			}
		}
	})
}
