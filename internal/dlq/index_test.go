package dlq_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// indexing runs an index and returns once it is ready.
func indexing(t *testing.T, c *testkafka.Cluster) *dlq.Index {
	t.Helper()
	x, _ := indexingOver(t, c, c.Client(dlq.TailOptions()...))
	return x
}

// indexingOver returns an index that runs, over a tail, and what stops it.
func indexingOver(t *testing.T, c *testkafka.Cluster, tail *kgo.Client) (x *dlq.Index, stop func()) {
	t.Helper()
	x = dlq.NewIndex(c.Group, dlq.NewReader(c.Client(), c.Group), tail, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { x.Run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	select {
	case <-x.Ready():
	case <-time.After(20 * time.Second):
		t.Fatal("the index is not ready after 20 s")
	}
	return x, stop
}

func closeEntries(t *testing.T, c *testkafka.Cluster, w *dlq.Writer, state dlq.State, ids ...string) {
	t.Helper()
	for _, id := range ids {
		err := w.CloseEntries(t.Context(), &dlq.Closure{
			Topic: topics.DeadLetter(c.Group, topics.TradeExecutions), Key: []byte(id),
			Closing: dlq.Closing{State: state, By: "ann@desk", Comment: "venue is back", At: time.Now()},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestIndexKnowsTheLastVersionOfEachEntry(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	write(t, w, entry("re_0", nil), entry("re_1", nil), entry("re_2", nil), entry("re_3", nil)) // at 0 to 3
	write(t, w, entry("re_1", nil).Again("", 3))                                                // at 4
	write(t, w, entry("re_2", nil).Again("", 1))                                                // at 5, quarantined
	closeEntries(t, c, w, dlq.Resolved, "re_3")                                                 // at 6
	x := indexing(t, c)
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	for id, want := range map[string]dlq.Last{
		"re_0":      {Open: true, Offset: 0, Read: 7},
		"re_1":      {Open: true, Offset: 4, Read: 7},
		"re_2":      {Open: true, Offset: 5, Read: 7, Quarantined: true},
		"re_3":      {Read: 7},
		"re_nobody": {Read: 7},
	} {
		if got := x.Last(topic, x.Key(topic, id)); got != want {
			t.Errorf("%s: %+v, want %+v", id, got, want)
		}
	}
	closeEntries(t, c, w, dlq.Discarded, "re_0")
	write(t, w, entry("re_4", nil))
	testkafka.Eventually(t, 10*time.Second, "the index follows", func() bool {
		return x.Last(topic, x.Key(topic, "re_0")) == dlq.Last{Read: 9} && x.Last(topic, x.Key(topic, "re_4")) == dlq.Last{Open: true, Offset: 8, Read: 9}
	})
}

// TestTombstoneClosesOnlyTheVersionItNames: who discards has not seen what failed
// again meanwhile.
func TestTombstoneClosesOnlyTheVersionItNames(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	live := indexing(t, c)
	discard := func(id string, version int64) {
		t.Helper()
		closure := &dlq.Closure{Topic: topic, Key: []byte(id), Closing: dlq.Closing{State: dlq.Discarded, By: "ann@desk", At: time.Now(), Below: version + 1}}
		if err := w.CloseEntries(t.Context(), closure); err != nil {
			t.Fatal(err)
		}
	}
	write(t, w, entry("re_0", nil), entry("re_1", nil), entry("re_2", nil))       // at 0 to 2
	write(t, w, entry("re_0", nil).Again("", 3), entry("re_1", nil).Again("", 3)) // at 3 and 4
	discard("re_0", 0)                                                            // at 5
	discard("re_1", 4)
	discard("re_2", 2)
	want := map[string]dlq.Last{"re_0": {Open: true, Offset: 3, Read: 8}, "re_1": {Read: 8}, "re_2": {Read: 8}}
	testkafka.Eventually(t, 10*time.Second, "the index follows", func() bool { return live.Last(topic, live.Key(topic, "re_2")) == want["re_2"] })
	later := indexing(t, c)
	for id, last := range want {
		for name, x := range map[string]*dlq.Index{"live": live, "later": later} {
			if got := x.Last(topic, x.Key(topic, id)); got != last {
				t.Errorf("%s, %s: %+v, want %+v", name, id, got, last)
			}
		}
	}
	if got := each(t, c, dlq.Query{Closed: true}); !slices.Equal(got, []string{"re_1 discarded", "re_0 open", "re_2 discarded"}) {
		t.Errorf("read as %v", got)
	}
	last, err := dlq.NewLog(c.Client()).LastOffsets(t.Context(), topic, 0, []string{"re_0", "re_1"})
	if err != nil || last["re_0"] != 3 || last["re_1"] != 5 {
		t.Errorf("%v, %v", last, err)
	}
}

func TestGaugesShowTheIndex(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	reg := prometheus.NewPedanticRegistry()
	g := dlq.NewGauges(reg)
	if n := testutil.CollectAndCount(reg, "notifier_dead_letters_open"); n != 0 {
		t.Errorf("%d series without an index", n)
	}
	old, young := entry("re_old", nil), entry("re_young", nil)
	old.FirstFailed, young.FirstFailed = time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
	write(t, w, old, young)
	x := indexing(t, c)
	g.Show(x)
	oldest := func() float64 {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == "notifier_dead_letter_oldest_seconds" && m.GetLabel()[0].GetValue() == string(topics.TradeExecutions) {
					return m.GetGauge().GetValue()
				}
			}
		}
		return -1
	}
	open := func(n int) error {
		var text strings.Builder
		fmt.Fprintln(&text, "# HELP notifier_dead_letters_open Dead letters that are neither resolved nor discarded; shown by the process that owns the replay partition.\n# TYPE notifier_dead_letters_open gauge")
		for _, name := range topics.All() {
			of := 0
			if name == topics.TradeExecutions {
				of = n
			}
			fmt.Fprintf(&text, "notifier_dead_letters_open{topic=%q} %d\n", name, of)
		}
		return testutil.GatherAndCompare(reg, strings.NewReader(text.String()), "notifier_dead_letters_open")
	}
	if err := open(2); err != nil {
		t.Error(err)
	}
	if age := oldest(); age < 3590 || age > 3700 {
		t.Errorf("the oldest failed %v s ago, want an hour", age)
	}
	write(t, w, old.Again("", 3)) // it failed again and is as old as it was
	closeEntries(t, c, w, dlq.Resolved, "re_young")
	testkafka.Eventually(t, 10*time.Second, "one is left", func() bool { return open(1) == nil })
	if age := oldest(); age < 3590 {
		t.Errorf("the oldest failed %v s ago, want an hour", age)
	}
	closeEntries(t, c, w, dlq.Resolved, "re_old")
	testkafka.Eventually(t, 10*time.Second, "none is left", func() bool { return open(0) == nil && oldest() == 0 })
	g.Hide(dlq.NewIndex(c.Group, dlq.NewReader(c.Client(), c.Group), nil, slog.New(slog.DiscardHandler))) // another one
	if n := testutil.CollectAndCount(reg, "notifier_dead_letters_open"); n == 0 {
		t.Error("another index hid this one")
	}
	g.Hide(x)
	if n := testutil.CollectAndCount(reg, "notifier_dead_letters_open"); n != 0 {
		t.Errorf("%d series after the partition was given up", n)
	}
}

func TestIndexFollowsARecreatedTopic(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	write(t, w, entry("re_0", nil), entry("re_1", nil))
	x := indexing(t, c)
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	generation := x.Generation(topic)
	c.Delete(topic)
	testkafka.Eventually(t, 20*time.Second, "the index notices", func() bool { return x.Generation(topic) > generation })
	for _, s := range c.Shapes(nil) {
		if s.Topic == topic {
			c.Make(s)
		}
	}
	write(t, writer(t, c, nil), entry("re_2", nil))
	testkafka.Eventually(t, 20*time.Second, "the new topic is indexed", func() bool {
		return x.Last(topic, x.Key(topic, "re_2")) == dlq.Last{Open: true, Read: 1} && !x.Last(topic, x.Key(topic, "re_0")).Open
	})
	write(t, writer(t, c, nil), entry("re_3", nil))
	testkafka.Eventually(t, 20*time.Second, "the new topic is followed", func() bool {
		return x.Last(topic, x.Key(topic, "re_3")) == dlq.Last{Open: true, Offset: 1, Read: 2}
	})
}

// An index that is not told of a deletion in time sees a shorter topic, or one
// with another id.
func TestIndexFollowsTopicRecreatedAtOnce(t *testing.T) {
	c := testkafka.Start(t, nil)
	write(t, writer(t, c, nil), entry("re_0", nil), entry("re_1", nil))
	x := indexing(t, c)
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	c.Delete(topic)
	for _, s := range c.Shapes(nil) {
		if s.Topic == topic {
			c.Make(s)
		}
	}
	write(t, writer(t, c, nil), entry("re_2", nil))
	if reads, err := x.Reads(t.Context(), topic); (reads && x.Generation(topic) == 0) || err != nil {
		t.Errorf("before it notices: reads the new topic: %v, %v", reads, err)
	}
	testkafka.Eventually(t, 20*time.Second, "the new topic is indexed", func() bool {
		reads, err := x.Reads(t.Context(), topic)
		return reads && err == nil && x.Generation(topic) == 1 && x.Last(topic, x.Key(topic, "re_2")) == dlq.Last{Open: true, Read: 1}
	})
}

// The client of a later index still has the id of the topic that an earlier one read.
func TestIndexReadsTopicRecreatedBetweenAssignments(t *testing.T) {
	c := testkafka.Start(t, nil)
	tail := c.Client(dlq.TailOptions()...)
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	first, stop := indexingOver(t, c, tail)
	write(t, writer(t, c, nil), entry("re_0", nil))
	testkafka.Eventually(t, 20*time.Second, "the topic is followed", func() bool { return first.Last(topic, first.Key(topic, "re_0")).Open })
	stop()
	c.Delete(topic)
	for _, s := range c.Shapes(nil) {
		if s.Topic == topic {
			c.Make(s)
		}
	}
	x, _ := indexingOver(t, c, tail)
	write(t, writer(t, c, nil), entry("re_1", nil))
	testkafka.Eventually(t, 20*time.Second, "the new topic is followed", func() bool {
		return x.Last(topic, x.Key(topic, "re_1")) == dlq.Last{Open: true, Read: 1}
	})
}

func TestLastOffsetsFindsLastRecordOfEachKey(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	write(t, w, entry("re_0", nil), entry("re_1", nil), entry("re_2", nil))
	write(t, w, entry("re_1", nil).Again("", 3))
	closeEntries(t, c, w, dlq.Resolved, "re_2")
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	last, err := dlq.NewLog(c.Client()).LastOffsets(t.Context(), topic, 1, []string{"re_0", "re_1", "re_2", "re_nobody"})
	if want := map[string]int64{"re_1": 3, "re_2": 4}; err != nil || !maps.Equal(last, want) {
		t.Errorf("%v, want %v, %v", last, want, err)
	}
}
