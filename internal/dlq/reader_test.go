package dlq_test

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// entryOf is an entry of a source topic.
func entryOf(source topics.Name, id string, value []byte) *dlq.Entry {
	e := entry(id, value)
	e.Envelope.Source.Topic = string(source)
	return e
}

func each(t *testing.T, c *testkafka.Cluster, q dlq.Query) []string {
	t.Helper()
	var list []string
	if err := dlq.NewReader(c.Client(), c.Group).Each(t.Context(), q, func(e *dlq.Entry) bool {
		list = append(list, e.ID+" "+string(e.State))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEachIsNewestFirstOverAllTopics(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	var want []string
	for i := range 30 {
		id := fmt.Sprintf("re_%02d", i)
		write(t, w, entryOf(topics.All()[i*7%3], id, []byte("x")))
		want = append(want, id+" open")
		time.Sleep(2 * time.Millisecond) // timestamps, which alone order topics, are milliseconds
	}
	slices.Reverse(want)
	for _, q := range []dlq.Query{{}, {Brief: true}} {
		if got := each(t, c, q); !slices.Equal(got, want) {
			t.Errorf("%+v: %v", q, got)
		}
	}
	if got := each(t, c, dlq.Query{Sources: topics.All()[:1]}); len(got) != 10 {
		t.Errorf("%d of one topic", len(got))
	}
	n := 0
	if err := dlq.NewReader(c.Client(), c.Group).Each(t.Context(), dlq.Query{}, func(*dlq.Entry) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("stopped after %d, %v", n, err)
	}
}

// TestBlocksLargerThanOneRead: blocks are read in pieces of a megabyte and
// grow to thousands of records, while the entries at their beginnings are
// rewritten at the end.
func TestBlocksLargerThanOneRead(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	const n = 4000
	value := make([]byte, 2000)
	_, _ = rand.Read(value)
	var batch []*dlq.Entry
	for i := range n {
		batch = append(batch, entry(fmt.Sprintf("re_%04d", i), value))
		if len(batch) == 500 {
			write(t, w, batch...)
			batch = nil
		}
	}
	for i := range 10 {
		write(t, w, entry(fmt.Sprintf("re_%04d", i*400), []byte("again")))
	}
	got := each(t, c, dlq.Query{Brief: true})
	if len(got) != n || got[0] != "re_3600 open" || got[9] != "re_0000 open" || got[10] != "re_3999 open" || got[n-1] != "re_0001 open" {
		t.Errorf("%d entries, from %s by %s to %s", len(got), got[0], got[10], got[len(got)-1])
	}
	if all := slices.Compact(slices.Sorted(slices.Values(got))); len(all) != n {
		t.Errorf("%d different ones", len(all))
	}
}

func TestLargeValuesAreReadInBoundedMemory(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	const n = 160
	for i := range n {
		value := make([]byte, 1_000_000)
		_, _ = rand.Read(value) // compresses to nothing less
		write(t, w, entry(fmt.Sprintf("re_%03d", i), value))
	}
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held() // the broker's own is in it
	var most uint64
	seen := 0
	if err := dlq.NewReader(c.Client(), c.Group).Each(t.Context(), dlq.Query{}, func(e *dlq.Entry) bool {
		if seen++; seen%20 == 1 {
			most = max(most, held())
		}
		return len(e.Envelope.Source.Value) == 1_000_000
	}); err != nil {
		t.Fatal(err)
	}
	if seen != n {
		t.Errorf("%d entries", seen)
	}
	// Two blocks of 64 MiB, the one worked on and the next one, and what is read.
	if took := (int64(most) - int64(before)) >> 20; took > 150 {
		t.Errorf("%d MiB", took)
	}
}

func TestClosedEntriesAreReadUntilCompaction(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	for i := range 6 {
		write(t, w, entry(fmt.Sprintf("re_%d", i), []byte("x")))
	}
	dead := topics.DeadLetter(c.Group, topics.TradeExecutions)
	for i, state := range []dlq.State{dlq.Resolved, dlq.Discarded} {
		closing := dlq.Closing{State: state, By: "me@here", Comment: "why", At: failed.Add(time.Duration(i) * time.Hour)}
		if err := w.CloseEntries(t.Context(), &dlq.Closure{Topic: dead, Key: fmt.Appendf(nil, "re_%d", i), Closing: closing}); err != nil {
			t.Fatal(err)
		}
	}
	write(t, w, entry("re_1", []byte("open again")))
	if got, want := each(t, c, dlq.Query{}), []string{"re_1 open", "re_5 open", "re_4 open", "re_3 open", "re_2 open"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	want := []string{"re_1 open", "re_5 open", "re_4 open", "re_3 open", "re_2 open", "re_0 resolved"}
	if got := each(t, c, dlq.Query{Closed: true}); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	whole := find(t, c, "re_0")
	if whole.Closed.By != "me@here" || string(whole.Envelope.Source.Value) != "x" || len(whole.Envelope.Source.Headers) != 2 {
		t.Fatalf("%+v", whole)
	}
	if c.Real() {
		return // a real cleaner takes its time; kfake's is called
	}
	c.Fake().Compact()
	got := each(t, c, dlq.Query{Closed: true})
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("after compaction %v", got)
	}
	left := find(t, c, "re_0")
	if left.State != dlq.Resolved || left.Closed.Comment != "why" {
		t.Errorf("%+v", left)
	}
}
