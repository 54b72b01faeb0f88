package history_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/history"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/unpack"
)

var monday = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

// topic is a topic with a number of partitions.
func topic(t *testing.T, partitions int32) *testkafka.Cluster {
	t.Helper()
	c := testkafka.Bare(t)
	c.Make(kafka.Shape{Topic: "events", Partitions: partitions, Replication: 1})
	return c
}

// at returns a record of a partition, milliseconds after monday.
func at(partition int32, ms int, value string) *kgo.Record {
	return &kgo.Record{Topic: "events", Partition: partition, Timestamp: monday.Add(time.Duration(ms) * time.Millisecond), Value: []byte(value)}
}

func produce(t *testing.T, c *testkafka.Cluster, records ...*kgo.Record) {
	t.Helper()
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// params reads all of the topic and finds the values that match.
func params(t *testing.T, c *testkafka.Cluster, match func(value string) bool) history.Params[string] {
	t.Helper()
	log := dlq.NewLog(c.Client())
	spans, err := log.Spans(t.Context(), "events")
	if err != nil {
		t.Fatal(err)
	}
	return history.Params[string]{
		Log: log, Spans: spans, Since: monday, Now: monday.Add(time.Hour),
		Matcher: func(dlq.Span) history.Matcher[string] {
			return func(r *kgo.Record, _ time.Time) (string, bool) {
				value := string(r.Value)
				return value, match(value)
			}
		},
	}
}

// read returns what is found, with its time in milliseconds.
func read(t *testing.T, p history.Params[string]) []string {
	t.Helper()
	var all []string
	until, err := history.Read(t.Context(), p, func(at time.Time, value string) {
		all = append(all, fmt.Sprint(at.Sub(monday).Milliseconds(), value))
	})
	if err != nil || !until.Equal(p.Now) {
		t.Fatalf("read until %s: %v", until, err)
	}
	return all
}

func every(string) bool { return true }

func TestPartitionsAreMergedByTime(t *testing.T) {
	c := topic(t, 3)
	produce(t, c, at(0, 10, "a"), at(0, 30, "b"), at(0, 30, "c"), at(1, 30, "d"), at(1, 40, "e"), at(2, 5, "f"), at(2, 50, "g"))
	if got, want := read(t, params(t, c, every)), []string{"5f", "10a", "30b", "30c", "30d", "40e", "50g"}; !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
}

// TestTimeNeverGoesBack: the order of a partition is that of its offsets, whatever its
// timestamps are.
func TestTimeNeverGoesBack(t *testing.T) {
	c := topic(t, 1)
	early, wrong := at(0, -5000, "early"), at(0, 0, "wrong")
	wrong.Timestamp = monday.AddDate(70, 0, 0)
	produce(t, c, early, at(0, 40, "a"), at(0, 20, "back"), wrong, at(0, 50, "b"))
	if got, want := read(t, params(t, c, every)), []string{"0early", "40a", "40back", "40wrong", "50b"}; !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
}

func TestOnlyTheSpanIsRead(t *testing.T) {
	c := topic(t, 1)
	produce(t, c, at(0, 1, "a"), at(0, 2, "b"), at(0, 3, "c"), at(0, 4, "d"))
	p := params(t, c, every)
	p.Spans[0].Start, p.Spans[0].End = 1, 3
	var passed atomic.Int64
	p.Passed = func(n int) { passed.Add(int64(n)) }
	if got, want := read(t, p), []string{"2b", "3c"}; !slices.Equal(got, want) || passed.Load() != 2 {
		t.Errorf("read %v and passed %d offsets, want %v", got, passed.Load(), want)
	}
	p.Spans[0].Start, p.Spans[0].End = 4, 4
	if got := read(t, p); got != nil {
		t.Errorf("read %v of an empty span", got)
	}
}

// TestAbortedTransactionsArePassed: they are neither found nor waited for, also at the
// end of the span, where only their marker is.
func TestAbortedTransactionsArePassed(t *testing.T) {
	c := topic(t, 1)
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("t"))
	for value, commit := range map[string]kgo.TransactionEndTry{"no": kgo.TryAbort, "yes": kgo.TryCommit} {
		if err := errors.Join(cl.BeginTransaction(), cl.ProduceSync(t.Context(), at(0, 1, value)).FirstErr(), cl.EndTransaction(t.Context(), commit)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := read(t, params(t, c, every)), []string{"1yes"}; !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
}

// TestBatchTooLargeIsPassed: what stands before and behind it is read.
func TestBatchTooLargeIsPassed(t *testing.T) {
	c := topic(t, 1)
	big := strings.Repeat("x", 300_000)
	packed := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(time.Second), kgo.ProducerBatchCompression(kgo.GzipCompression()))
	produce(t, c, at(0, 1, "a"))
	if err := packed.ProduceSync(t.Context(), at(0, 2, big), at(0, 2, big)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	produce(t, c, at(0, 3, "b"))
	p := params(t, c, every)
	p.Log = dlq.NewLog(c.Client(kgo.WithDecompressor(unpack.New(unpack.Limits{Batch: 100_000, Total: 1 << 20}))))
	p.TooLarge = func(b *dlq.BatchError) string { return fmt.Sprintf("%d to %d", b.First, b.Last) }
	if got, want := read(t, p), []string{"1a", "11 to 2", "3b"}; !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	p.TooLarge = nil
	if _, err := history.Read(t.Context(), p, func(time.Time, string) {}); err == nil || !strings.Contains(err.Error(), "the batch with the offsets 1 to 2 of events/0 is larger") {
		t.Errorf("read: %v", err)
	}
}

// TestMuchFoundIsNotHeld: partitions that are ahead of a slow one wait for it, and all of
// it comes in order.
func TestMuchFoundIsNotHeld(t *testing.T) {
	const partitions, each = 40, 1000
	c := topic(t, partitions)
	var all []*kgo.Record
	for p := range int32(partitions) {
		for i := range each {
			all = append(all, at(p, 1000+i, "x"))
		}
	}
	all = append(all, at(0, 5000, "slow"))
	produce(t, c, all...)
	var looked, handed, most atomic.Int64
	p := params(t, c, nil)
	p.Matcher = func(s dlq.Span) history.Matcher[string] {
		return func(r *kgo.Record, _ time.Time) (string, bool) {
			most.Store(max(most.Load(), looked.Add(1)-handed.Load()))
			return string(r.Value), true
		}
	}
	last, n := time.Time{}, 0
	_, err := history.Read(t.Context(), p, func(at time.Time, _ string) {
		if n++; at.Before(last) {
			t.Errorf("%s comes after %s", at, last)
		}
		last = at
		handed.Add(1)
	})
	if err != nil || n != partitions*each+1 {
		t.Errorf("%d of %d handed out: %v", n, partitions*each+1, err)
	}
	// 8,192 held, and what one turn of each partition and reader may add.
	if limit := int64(8192 + 256*(partitions+2*64)); most.Load() > min(limit, partitions*each-1) {
		t.Errorf("%d were found and not handed out", most.Load())
	}
}

// TestRunsAreTheSame: the order does not depend on which reader is first.
func TestRunsAreTheSame(t *testing.T) {
	c := topic(t, 7)
	var all []*kgo.Record
	for i := range 7000 {
		all = append(all, at(int32(i*i%7), i/50, fmt.Sprintf("/%d", i)))
	}
	produce(t, c, all...)
	p := params(t, c, func(value string) bool { return strings.HasSuffix(value, "7") })
	first := read(t, p)
	for range 5 {
		if p = params(t, c, func(value string) bool { return strings.HasSuffix(value, "7") }); !slices.Equal(read(t, p), first) {
			t.Fatal("two runs differ")
		}
	}
	if len(first) != 700 {
		t.Errorf("%d found, want 700", len(first))
	}
}

// TestStoppedReadSaysHowFar: everything before that time was handed out, and nothing else.
func TestStoppedReadSaysHowFar(t *testing.T) {
	c := topic(t, 2)
	var all []*kgo.Record
	for i := range 5000 {
		all = append(all, at(int32(i%2), i, "x"))
	}
	produce(t, c, all...)
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	n := 0
	until, err := history.Read(ctx, params(t, c, every), func(at time.Time, _ string) {
		if n++; n == 777 {
			cancel(stopped)
		}
	})
	if ms := int(until.Sub(monday).Milliseconds()); !errors.Is(err, stopped) || n != 777 || ms < n-1 || ms > n { // there is one each millisecond
		t.Errorf("%d were handed out, until %s: %v", n, until, err)
	}
}

func TestUnreadablePartitionIsAnError(t *testing.T) {
	c := topic(t, 1)
	produce(t, c, at(0, 1, "a"))
	p := params(t, c, every)
	p.Spans = append(p.Spans, dlq.Span{Topic: "events", Partition: 5, End: 10})
	_, err := history.Read(t.Context(), p, func(time.Time, string) {})
	if err == nil || err.Error() != "read events/5: events has no partition 5" {
		t.Errorf("read: %v", err)
	}
}
