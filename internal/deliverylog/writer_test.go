package deliverylog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// running is a writer with its cluster.
type running struct {
	*Writer
	c          *testkafka.Cluster
	conditions *health.Conditions
	stop       func()
}

func start(t *testing.T) *running {
	t.Helper()
	c := testkafka.Start(t, nil)
	r := &running{c: c, conditions: health.New(slog.New(slog.DiscardHandler), nil)}
	redactor := secret.NewRedactor()
	redactor.Add("hunter2")
	r.Writer = NewWriter(Params{
		Client: c.Client(Options()...), Group: c.Group, ClientID: "notifier-a", Redactor: redactor, Conditions: r.conditions, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(r.stop)
	return r
}

// shape is the log's own topic.
func (r *running) shape() kafka.Shape {
	for _, s := range r.c.Shapes(nil) {
		if s.Role == kafka.RoleDeliveries {
			return s
		}
	}
	panic("the log has no shape")
}

// all returns what the log holds.
func (r *running) all(t *testing.T) (list []*Record) {
	t.Helper()
	reader := NewReader(r.c.Client(), r.c.Group)
	spans, err := reader.Spans(t.Context(), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Each(t.Context(), spans, nil, func(rec *Record) bool { list = append(list, rec); return true }); err != nil {
		t.Fatal(err)
	}
	return list
}

func numbered(i int) *Record {
	r := sample()
	r.Alert, r.Delivery = fmt.Sprint("al_", i), fmt.Sprint("dl_", i)
	return r
}

func TestWriterWritesWithoutSecrets(t *testing.T) {
	r := start(t)
	for i := range 100 {
		rec := numbered(i)
		rec.Detail, rec.Attempts[0].Detail = "hunter2 is wrong", "401 for hunter2"
		r.Write(rec)
	}
	r.stop()
	list := r.all(t)
	if len(list) != 100 || testutil.ToFloat64(r.dropped) != 0 {
		t.Fatalf("%d records, %v dropped", len(list), testutil.ToFloat64(r.dropped))
	}
	for i, rec := range list {
		if rec.Detail != "[redacted] is wrong" || rec.Attempts[0].Detail != "401 for [redacted]" || rec.Client != "notifier-a" || rec.Ended.IsZero() {
			t.Fatalf("%+v", rec)
		}
		if i > 0 && rec.Ended.Truncate(time.Millisecond).Before(list[i-1].Ended.Truncate(time.Millisecond)) {
			t.Fatalf("record %d is older than the one before it", i)
		}
	}
}

// TestMissingTopicDropsWithoutBlocking: the records of sent alerts, counted, with one
// condition; that of a suppressed alert is told and written once the topic is there.
func TestMissingTopicDropsWithoutBlocking(t *testing.T) {
	r := start(t)
	r.c.Delete(r.topic)
	kept := make(chan error, 100)
	r.Keep(numbered(0), func(err error) { kept <- err })
	const n = maxLoose + 100
	began := time.Now()
	for i := range n {
		r.Write(numbered(1 + i))
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("%d records took %s", n, took)
	}
	testkafka.Eventually(t, 30*time.Second, "what is not written is counted", func() bool { return testutil.ToFloat64(r.dropped) == n })
	if text := r.conditions.Message(health.DeliveryLog, r.topic); !strings.Contains(text, topics.Deliveries(r.c.Group)+" cannot be written") {
		t.Errorf("the condition says %q", text)
	}
	if err := <-kept; err == nil {
		t.Fatal("a record is kept without a topic")
	}
	r.c.Make(r.shape())
	testkafka.Eventually(t, 30*time.Second, "the suppressed alert has its record", func() bool {
		for {
			select {
			case err := <-kept:
				if err == nil {
					return true
				}
			default:
				return false
			}
		}
	})
	if list := r.all(t); len(list) != 1 || list[0].Delivery != "dl_0" {
		t.Errorf("%d records", len(list))
	}
}

func TestRecreatedTopicIsFollowed(t *testing.T) {
	r := start(t)
	write := func(i int) {
		done := make(chan error, 100)
		r.Keep(numbered(i), func(err error) { done <- err })
		for err := errors.New("not yet"); err != nil; {
			select {
			case err = <-done:
			case <-time.After(30 * time.Second):
				t.Fatalf("record %d is not kept", i)
			}
		}
	}
	write(1)
	r.c.Delete(r.topic)
	r.c.Make(r.shape())
	write(2)
	if list := r.all(t); len(list) != 1 || list[0].Delivery != "dl_2" {
		t.Errorf("%d records in the new topic", len(list))
	}
}

func TestDeliveriesOfOneAlertShareAPartition(t *testing.T) {
	r := start(t)
	for i := range 20 {
		for j := range 3 {
			rec := numbered(i)
			rec.Delivery = fmt.Sprintf("dl_%d_%d", i, j)
			r.Write(rec)
		}
	}
	r.stop()
	reader := NewReader(r.c.Client(), r.c.Group)
	spans, err := reader.Spans(t.Context(), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	in, used := make(map[string]int32), make(map[int32]bool)
	for i := range spans {
		next := make(map[string]int)
		err := reader.Each(t.Context(), spans[i:i+1], nil, func(rec *Record) bool {
			if p, met := in[rec.Alert]; met && p != spans[i].Partition {
				t.Errorf("%s is in partitions %d and %d", rec.Alert, p, spans[i].Partition)
			}
			if want := fmt.Sprintf("dl_%s_%d", rec.Alert[3:], next[rec.Alert]); rec.Delivery != want {
				t.Errorf("%s, want %s: out of order", rec.Delivery, want)
			}
			next[rec.Alert]++
			in[rec.Alert], used[spans[i].Partition] = spans[i].Partition, true
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(in) != 20 || len(used) < 2 {
		t.Errorf("%d alerts in %d partitions", len(in), len(used))
	}
}

// BenchmarkWrite is what a dispatcher pays for a record; Run does the rest.
func BenchmarkWrite(b *testing.B) {
	w := NewWriter(Params{Group: "g"})
	b.ReportAllocs()
	r := sample()
	for b.Loop() {
		w.Write(r)
		if w.loose == maxLoose {
			w.loose, w.queue = 0, w.queue[:0]
		}
	}
}
