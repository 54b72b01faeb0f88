package dispatch

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

// logged is a delivery log whose acknowledgements a test decides.
type logged struct {
	mu      sync.Mutex
	records []*deliverylog.Record
	waiting []func(error)
}

func (l *logged) Write(r *deliverylog.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r)
}

func (l *logged) Keep(r *deliverylog.Record, done func(error)) {
	l.Write(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, done)
}

// answer tells all that wait how it went.
func (l *logged) answer(err error) {
	l.mu.Lock()
	waiting := l.waiting
	if err == nil {
		l.waiting = nil
	}
	l.mu.Unlock()
	for _, done := range waiting {
		done(err)
	}
	synctest.Wait()
}

func (l *logged) of(id string) (list []*deliverylog.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if r.Delivery == id {
			list = append(list, r)
		}
	}
	return list
}

func withThrottle(a *alert.Alert) { a.Throttle = time.Hour }

// TestSuppressedDeliverySettlesOnceRecordIsKept: its lane goes on before, and what is
// sent meanwhile is settled above it.
func TestSuppressedDeliverySettlesOnceRecordIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := takeOver(t, 0, nil, nil, nil)
		defer o.close()
		log := &logged{}
		o.p.Deliveries = log
		for i, change := range []func(*alert.Alert){withThrottle, withThrottle, func(a *alert.Alert) { a.Expire = time.Nanosecond }, func(*alert.Alert) {}} {
			r := outboxRecord(fmt.Sprint("dl_", i), func(e *envelope.Envelope) { change(e.Alert); e.Alert.EventTime = time.Now().Add(-time.Minute) })
			r.Key, r.Offset = []byte("key"), int64(i)
			o.a.Take(t.Context(), o.steps.Deliver(o.part, []*kgo.Record{r}))
			synctest.Wait()
			o.commit(false)
		}
		pass(time.Second)
		o.commit(false)
		if ids := o.ch.ids(); !slices.Equal(ids, []string{"dl_0", "dl_3"}) || o.last.At.Offset != 1 || !o.last.Finished(3) || o.left() != 0 {
			t.Fatalf("sent %v, committed %d, the last one finished: %v, %d left", ids, o.last.At.Offset, o.last.Finished(3), o.left())
		}
		log.answer(errors.New("no topic"))
		o.commit(false)
		if o.last.At.Offset != 1 {
			t.Fatalf("committed %d although the log has no record of 1 and 2", o.last.At.Offset)
		}
		log.answer(nil)
		o.commit(false)
		if o.last.At.Offset != 4 {
			t.Errorf("committed %d although the log has all records", o.last.At.Offset)
		}
		for id, want := range map[string]string{"dl_0": "delivered", "dl_1": "throttled", "dl_2": "expired", "dl_3": "delivered"} {
			if list := log.of(id); len(list) != 1 || string(list[0].Decision) != want || list[0].Alert != "al_"+id || list[0].Outbox.Offset != int64(id[3]-'0') {
				t.Errorf("%s: %+v, want one record: %s", id, list, want)
			}
		}
		if d := log.of("dl_1")[0].Detail; !strings.HasPrefix(d, "an alert of its key, of ") || !strings.HasSuffix(d, "was sent; the throttle is 1 h 0 m") {
			t.Errorf("the throttled one says %q", d)
		}
		if d := log.of("dl_2")[0].Detail; d != "1 m 0 s old, it expires after 0 ms" {
			t.Errorf("the expired one says %q", d)
		}
	})
}

// TestRevokeWaitsForRecordsUnlessTheyFail, so that the next owner decides nothing again
// that is decided, and no log that is down holds up a rebalance.
func TestRevokeWaitsForRecordsUnlessTheyFail(t *testing.T) {
	for _, err := range []error{nil, errors.New("no topic")} {
		synctest.Test(t, func(t *testing.T) {
			o := takeOver(t, 0, nil, nil, nil)
			defer o.close()
			log := &logged{}
			o.p.Deliveries = log
			for i := range 2 {
				r := outboxRecord(fmt.Sprint("dl_", i), func(e *envelope.Envelope) { withThrottle(e.Alert) })
				r.Key, r.Offset = []byte("key"), int64(i)
				o.a.Take(t.Context(), o.steps.Deliver(o.part, []*kgo.Record{r}))
				synctest.Wait()
				o.commit(false)
			}
			left := o.a.Leave()
			select {
			case <-left:
				t.Fatal("it leaves before the record is kept")
			default:
			}
			log.answer(err)
			select {
			case <-left:
			default:
				t.Fatalf("it does not leave after %v", err)
			}
			o.commit(true)
			if finished := o.last.At.Offset == 2; finished != (err == nil) {
				t.Errorf("committed %d after %v", o.last.At.Offset, err)
			}
			log.answer(nil) // late
		})
	}
}

func TestRecordTellsAttemptsAndReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		log := &logged{}
		b.p.Deliveries = log
		b.ch.answer = func(m channel.Message, n int) (channel.Receipt, error) {
			time.Sleep(30 * time.Millisecond)
			switch {
			case m.Delivery == "refused":
				return channel.Receipt{}, errRefused
			case n == 1:
				return channel.Receipt{}, outcome.Errorf(outcome.Timeout, "no answer")
			}
			return channel.Receipt{ID: "1772550911.004"}, nil
		}
		b.put("sent", "A")
		b.put("refused", "B")
		pass(time.Hour)
		sent := log.of("sent")
		if len(sent) != 1 || sent[0].Decision != deliverylog.Delivered || sent[0].Receipt != "1772550911.004" || !sent[0].MayBeDuplicate || len(sent[0].Attempts) != 2 {
			t.Fatalf("sent: %+v", sent)
		}
		first, second := sent[0].Attempts[0], sent[0].Attempts[1]
		if first.Result != "ambiguous" || first.Cause != outcome.Timeout || first.Detail != "no answer" || second.Result != "ok" || second.Cause != "" ||
			time.Duration(second.Duration) != 30*time.Millisecond || !second.Started.After(first.Started) {
			t.Errorf("attempts %+v", sent[0].Attempts)
		}
		refused := log.of("refused")
		if len(refused) != 1 || refused[0].Decision != deliverylog.DeadLettered || refused[0].Reason != outcome.Refused || refused[0].Cause != outcome.PayloadRefused || refused[0].Detail != "422" {
			t.Errorf("refused: %+v", refused)
		}
	})
}

// TestManyThrottledAlertsWaitForNoRecord: 4,000 of one key are decided at once.
func TestManyThrottledAlertsWaitForNoRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		log := &logged{}
		b.p.Deliveries = log
		for i := range 4001 {
			b.put(fmt.Sprint(i), "A", withThrottle)
		}
		synctest.Wait()
		if len(log.records) != 4001 || len(log.waiting) != 4000 || b.left() != 0 || len(b.ch.ids()) != 1 {
			t.Fatalf("%d records, %d wait, %d left, %d sent", len(log.records), len(log.waiting), b.left(), len(b.ch.ids()))
		}
		log.answer(nil)
		if b.src.inFlight != 0 {
			t.Errorf("%d are in flight", b.src.inFlight)
		}
	})
}

// BenchmarkRecord is what the record of a delivery costs a dispatcher under its mutex.
func BenchmarkRecord(b *testing.B) {
	o := New(Params{Name: "desk", Channel: unused{}, Config: testConfig(), Uncommitted: 64, Dead: &deadLetters{}, Deliveries: discarded{}, Logger: slog.New(slog.DiscardHandler)})
	defer func() { _ = o.Close() }()
	a := &alert.Alert{ID: "al_1", Rule: "margin-call", Severity: alert.Critical, Key: []string{"ACC-7"}, Title: alert.Text{{Text: "Margin call on "}, {Text: "ACC-7", Value: true}}}
	l := &lane{source: &source{}}
	b.ReportAllocs()
	for b.Loop() {
		t := turn{o, l, &delivery{envelope: &envelope.Envelope{Delivery: "dl_1", Alert: a, Channel: "desk"}}}
		t.tried(time.Time{}, time.Millisecond, nil)
		t.end(delivered)
	}
}

// discarded is a delivery log that keeps nothing.
type discarded struct{}

func (discarded) Write(*deliverylog.Record)             {}
func (discarded) Keep(*deliverylog.Record, func(error)) {}
