package lag

import (
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
)

// again forgets what was read.
func (w *watched) again() *watched {
	fresh := *w
	p := w.p
	p.Registry = nil
	fresh.Monitor = New(p)
	return &fresh
}

// TestImplausibleTimestampsAreNoAge: a record of 1970 or of 2099 has not waited
// for decades, nor until then. It is as old as it has been seen, and what else is
// known of its topic stays known.
func TestImplausibleTimestampsAreNoAge(t *testing.T) {
	for name, bad := range map[string]time.Time{
		"seconds": time.UnixMilli(time.Now().Unix()), "ahead": time.Now().AddDate(70, 0, 0), "zero": time.UnixMilli(0), "none": time.UnixMilli(-1), "microseconds": time.UnixMilli(time.Now().UnixMicro()),
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, 2)
			w.alter("retention.ms", "259200000") // 3 d
			w.put(0, 2, bad)
			before := time.Now()
			b := w.now()
			if b.Waiting != 2 || b.Oldest.Before(before) || b.Oldest.After(time.Now()) {
				t.Fatalf("%+v", b)
			}
			if later := w.now(); !later.Oldest.Equal(b.Oldest) {
				t.Errorf("seen at %s, it is of %s at the next look", b.Oldest, later.Oldest)
			}
			if age := w.metric("notifier_outbox_oldest_seconds", "channel", "desk"); age > 60 {
				t.Errorf("the oldest is %v s old", age)
			}
			if n := w.metric("notifier_outbox_lag_records", "channel", "desk"); n != 2 {
				t.Errorf("%v wait", n)
			}
			if left := w.metric("notifier_time_until_loss_seconds", "topic", w.outbox); left < 250_000 || left > 259_200 {
				t.Errorf("%v s are left", left)
			}
			minute := time.Now().Truncate(time.Millisecond).Add(-time.Minute)
			w.put(1, 1, minute)
			if b := w.now(); b.Waiting != 3 || !b.Oldest.Equal(minute) {
				t.Errorf("beside one that has a time: %+v", b)
			}
			waiting, err := Waiting(t.Context(), w.c.Admin, w.p.OutboxGroup, w.c.ID, w.outbox)
			if err != nil {
				t.Fatal(err)
			}
			if oldest, err := Oldest(t.Context(), dlq.NewLog(w.c.Client()), w.outbox, waiting[w.outbox]); err != nil || !oldest.Equal(minute) {
				t.Errorf("the command says %s, %v", oldest, err)
			}
		})
	}
}

// TestFirstPlausibleTimestampIsAge: of the oldest nothing is known, of the next
// one it is.
func TestFirstPlausibleTimestampIsAge(t *testing.T) {
	w := watch(t, 1)
	now := time.Now().Truncate(time.Millisecond)
	var records []*kgo.Record
	for _, at := range []time.Time{time.UnixMilli(math.MaxInt32), now.AddDate(30, 0, 0), now.Add(-time.Hour), now} {
		records = append(records, &kgo.Record{Topic: w.outbox, Timestamp: at, Value: []byte("x")})
	}
	cl := w.c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(100*time.Millisecond))
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if b := w.now(); b.Waiting != 4 || !b.Oldest.Equal(now.Add(-time.Hour)) {
		t.Errorf("%+v", b)
	}
	if b := w.again().now(); !b.Oldest.Equal(now.Add(-time.Hour)) {
		t.Errorf("read again: %+v", b)
	}
}
