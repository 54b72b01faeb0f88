package dlq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

var failed = time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)

func entry(id string, value []byte) *dlq.Entry {
	return &dlq.Entry{
		ID: id,
		Envelope: &envelope.Envelope{Source: envelope.Source{
			Topic: string(topics.TradeExecutions), TopicID: "AAAAAAAAAAAAAAAAAAAAAA", Partition: 3, Offset: 118, Time: failed.Add(-time.Second),
			Key: []byte("ses-7f3a"), Value: value, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte{0xff}}, {Key: "h"}},
		}},
		Reason: outcome.Undecodable, Scope: outcome.Message, Cause: outcome.Truncated, Detail: "not JSON at byte 3 (truncated)",
		Attempts: 1, FirstFailed: failed, LastFailed: failed, State: dlq.Open,
	}
}

func writer(t *testing.T, c *testkafka.Cluster, reg prometheus.Registerer) *dlq.Writer {
	t.Helper()
	cl := c.Client(kafka.DeadLetterOptions(kafka.MaxMessageBytes(c.Shapes(nil)))...)
	return dlq.NewWriter(dlq.WriterParams{Client: cl, Group: c.Group, Logger: slog.New(slog.DiscardHandler), Registry: reg})
}

func list(t *testing.T, c *testkafka.Cluster) []*dlq.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	entries, err := dlq.NewReader(c.Client(), c.Group).List(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// find returns the entry of an id, closed ones included.
func find(t *testing.T, c *testkafka.Cluster, id string) *dlq.Entry {
	t.Helper()
	var found *dlq.Entry
	err := dlq.NewReader(c.Client(), c.Group).Each(t.Context(), dlq.Query{Closed: true}, func(e *dlq.Entry) bool {
		if e.ID == id {
			found = e
		}
		return found == nil
	})
	if err != nil || found == nil {
		t.Fatalf("%s: %+v, %v", id, found, err)
	}
	return found
}

func write(t *testing.T, w *dlq.Writer, entries ...*dlq.Entry) {
	t.Helper()
	if err := w.Write(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
}

func TestEntryReadsBackByteForByte(t *testing.T) {
	c := testkafka.Start(t, nil)
	reg := prometheus.NewPedanticRegistry()
	w := writer(t, c, reg)
	for i, value := range [][]byte{[]byte(`{"a":`), {}, nil, {0, 0xff, 0xfe}, bytes.Repeat([]byte("x"), 1_000_000)} {
		write(t, w, entry(fmt.Sprintf("re_%d", i), value))
		got := find(t, c, fmt.Sprintf("re_%d", i))
		want := entry(fmt.Sprintf("re_%d", i), value)
		s := got.Envelope.Source
		if !bytes.Equal(s.Value, value) || (s.Value == nil) != (value == nil) || string(s.Key) != "ses-7f3a" || len(s.Headers) != 2 || s.Headers[1].Value != nil {
			t.Errorf("%d: %q %q %v", i, s.Key, s.Value[:min(20, len(s.Value))], s.Headers)
		}
		if got.Reason != want.Reason || got.Cause != want.Cause || got.Detail != want.Detail || !got.FirstFailed.Equal(want.FirstFailed) || got.Attempts != 1 || got.State != dlq.Open || got.Pointer {
			t.Errorf("%d: %+v", i, got)
		}
	}
	if n := testutil.CollectAndCount(reg, "notifier_dead_letters_total"); n != len(topics.All())*len(outcome.Reasons()) {
		t.Errorf("%d series: each topic and reason begins at zero", n)
	}
}

func TestEntryTimestampIsWriteTime(t *testing.T) {
	c := testkafka.Start(t, nil)
	before := time.Now().Add(-time.Second)
	write(t, writer(t, c, nil), entry("re_1", []byte("x")))
	cl := c.Client(kgo.ConsumeTopics(topics.DeadLetter(c.Group, topics.TradeExecutions)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := cl.PollRecords(ctx, 1).Records()
	if len(r) != 1 || r[0].Timestamp.Before(before) {
		t.Errorf("%+v", r)
	}
}

func TestRewrittenEntryStaysOneEntry(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	e := entry("re_1", []byte(`{"a":`))
	for i := range 50 {
		e.Attempts, e.LastFailed = i+1, failed.Add(time.Duration(i)*time.Second)
		write(t, w, e)
		entries := list(t, c)
		if i%10 != 9 {
			continue
		}
		if len(entries) != 1 || entries[0].Attempts != i+1 || len(entries[0].Envelope.Source.Headers) != 2 {
			t.Fatalf("cycle %d: %d entries, %+v", i, len(entries), entries[0])
		}
		e = entries[0]
	}
}

func TestListIsUnchangedByCompaction(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	for i := range 30 {
		e := entry(fmt.Sprintf("re_%d", i%10), []byte(fmt.Sprint(i)))
		e.LastFailed = failed.Add(time.Duration(i) * time.Minute)
		write(t, w, e)
	}
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	gone := &kgo.Record{Topic: topics.DeadLetter(c.Group, topics.TradeExecutions), Key: []byte("re_3")}
	if err := cl.ProduceSync(t.Context(), gone).FirstErr(); err != nil {
		t.Fatal(err)
	}
	ids := func() []string {
		var ids []string
		for _, e := range list(t, c) {
			ids = append(ids, e.ID+"="+string(e.Envelope.Source.Value))
		}
		return ids
	}
	before := ids()
	if want := strings.Fields("re_9=29 re_8=28 re_7=27 re_6=26 re_5=25 re_4=24 re_2=22 re_1=21 re_0=20"); !slices.Equal(before, want) {
		t.Fatalf("%v, want %v", before, want)
	}
	if c.Real() {
		return // a real cleaner takes its time; kfake's is called
	}
	c.Fake().Compact()
	if after := ids(); !slices.Equal(after, before) {
		t.Errorf("after compaction %v", after)
	}
}

func TestTwoGroupsDoNotTouchEachOthersEntries(t *testing.T) {
	c := testkafka.Start(t, nil)
	write(t, writer(t, c, nil), entry("re_1", nil))
	mine := c.Group
	c.Group = mine + "-other"
	c.Make(c.Shapes(nil)...)
	if n := len(list(t, c)); n != 0 {
		t.Errorf("another group sees %d entries", n)
	}
	c.Group = mine
	if n := len(list(t, c)); n != 1 {
		t.Errorf("%d entries", n)
	}
}

// TestLargeEntryIsKeptWholeIfCompressible: its producer compressed it, too; otherwise
// its source topic would not have it.
func TestLargeEntryIsKeptWholeIfCompressible(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	value := bytes.Repeat([]byte("fill "), 3<<20/5)
	write(t, w, entry("re_1", value), entry("re_2", []byte(noise(3<<20))), entry("re_3", nil))
	for _, e := range list(t, c) {
		if e.Pointer != (e.ID == "re_2") || e.ID == "re_1" && !bytes.Equal(e.Envelope.Source.Value, value) {
			t.Errorf("%s has %d bytes, pointer: %v", e.ID, len(e.Envelope.Source.Value), e.Pointer)
		}
	}
}

func TestOversizedEntryBecomesPointer(t *testing.T) {
	c := testkafka.Bare(t)
	shapes := c.Shapes(nil)
	for i := range shapes {
		if shapes[i].Role == kafka.RoleDeadLetter {
			shapes[i].Configs["max.message.bytes"] = "10000"
		}
	}
	c.Make(shapes...)
	w := dlq.NewWriter(dlq.WriterParams{Client: c.Client(kafka.DeadLetterOptions(kafka.MaxMessageBytes(shapes))...), Group: c.Group, Logger: slog.New(slog.DiscardHandler)})
	e := entry("re_1", []byte(noise(50_000)))
	e.Envelope.Alert = &alert.Alert{Rule: "order-rejected", Severity: alert.Warning, Title: alert.Text{{Text: "t"}}}
	e.Envelope.Channel, e.Envelope.Delivery = "desk", "re_1"
	write(t, w, e)
	got := list(t, c)[0]
	if !got.Pointer || len(got.Envelope.Source.Value) > 0 || got.Envelope.Source.Offset != 118 || got.Reason != outcome.Undecodable {
		t.Errorf("%+v", got)
	}
}

func TestFailingWriteReturnsWithinTimeout(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	c.Delete(topics.DeadLetter(c.Group, topics.TradeExecutions))
	began := time.Now()
	err := w.Write(t.Context(), entry("re_1", nil))
	if err == nil || !strings.Contains(err.Error(), topics.DeadLetter(c.Group, topics.TradeExecutions)) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 2*dlq.WriteTimeout {
		t.Errorf("it took %s", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := dlq.NewReader(c.Client(), c.Group).List(ctx); err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "run 'notifier topics create'") {
		t.Errorf("listing says %v", err)
	}
}

func TestForeignRecordIsListedAsMalformed(t *testing.T) {
	c := testkafka.Start(t, nil)
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	r := &kgo.Record{Topic: topics.DeadLetter(c.Group, topics.TradeExecutions), Key: []byte("foreign"), Value: []byte("else")}
	if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if e := list(t, c)[0]; e.State != dlq.Malformed || e.ID != "foreign" {
		t.Errorf("%+v", e)
	}
}
