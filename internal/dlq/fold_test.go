package dlq_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// folding runs a fold and returns once it has read what stood there.
func folding(t *testing.T, c *testkafka.Cluster) *dlq.Fold {
	t.Helper()
	f := dlq.NewFold(dlq.NewLog(c.Client()), c.Group, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	select {
	case <-f.Ready():
	case <-time.After(20 * time.Second):
		t.Fatal("the fold is not ready after 20 s")
	}
	return f
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

func TestTheFoldKnowsTheLastVersionOfEachEntry(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	write(t, w, entry("re_0", nil), entry("re_1", nil), entry("re_2", nil), entry("re_3", nil)) // at 0 to 3
	write(t, w, entry("re_1", nil).Again("", 3))                                                // at 4
	write(t, w, entry("re_2", nil).Again("", 1))                                                // at 5, quarantined
	closeEntries(t, c, w, dlq.Resolved, "re_3")                                                 // at 6
	f := folding(t, c)
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	check := func(id string, version int64, want dlq.Standing) {
		t.Helper()
		if got := f.Standing(topic, f.Key(topic, id), version); got != want {
			t.Errorf("%s@%d stands at %d, want %d", id, version, got, want)
		}
	}
	check("re_0", 0, dlq.Current)
	check("re_1", 1, dlq.Rewritten)
	check("re_1", 4, dlq.Current)
	check("re_2", 2, dlq.Isolated)
	check("re_3", 3, dlq.Gone)
	check("re_0", 7, dlq.Unknown)
	check("re_nobody", 3, dlq.Gone)
	check("re_0", 6, dlq.Gone) // no version of that entry

	closeEntries(t, c, w, dlq.Discarded, "re_0")
	testkafka.Eventually(t, 10*time.Second, "the fold follows", func() bool {
		return f.Standing(topic, f.Key(topic, "re_0"), 0) == dlq.Gone
	})
}

func TestTheGaugesAreThoseOfTheFold(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	reg := prometheus.NewPedanticRegistry()
	g := dlq.NewGauges(reg)
	if n := testutil.CollectAndCount(reg, "notifier_dead_letters_open"); n != 0 {
		t.Errorf("%d series although nobody folds", n)
	}
	old, young := entry("re_old", nil), entry("re_young", nil)
	old.FirstFailed, young.FirstFailed = time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
	write(t, w, old, young)
	f := folding(t, c)
	g.Show(f)
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
	g.Hide(dlq.NewFold(dlq.NewLog(c.Client()), c.Group, slog.New(slog.DiscardHandler))) // somebody else's
	if n := testutil.CollectAndCount(reg, "notifier_dead_letters_open"); n == 0 {
		t.Error("another's fold hid this one")
	}
	g.Hide(f)
	if n := testutil.CollectAndCount(reg, "notifier_dead_letters_open"); n != 0 {
		t.Errorf("%d series after the partition was given up", n)
	}
}

func TestTheFoldFollowsATopicThatIsMadeAnew(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	write(t, w, entry("re_0", nil), entry("re_1", nil))
	f := folding(t, c)
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	generation := f.Generation(topic)
	c.Delete(topic)
	testkafka.Eventually(t, 20*time.Second, "the fold notices", func() bool { return f.Generation(topic) > generation })
	for _, s := range c.Shapes(nil) {
		if s.Topic == topic {
			c.Make(s)
		}
	}
	write(t, writer(t, c, nil), entry("re_2", nil))
	testkafka.Eventually(t, 20*time.Second, "the new topic is folded", func() bool {
		return f.Standing(topic, f.Key(topic, "re_2"), 0) == dlq.Current && f.Standing(topic, f.Key(topic, "re_0"), 0) == dlq.Gone
	})
}

func TestLaterFindsWhatHasALaterRecord(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	write(t, w, entry("re_0", nil), entry("re_1", nil), entry("re_2", nil))
	write(t, w, entry("re_1", nil).Again("", 3))
	closeEntries(t, c, w, dlq.Resolved, "re_2")
	topic := topics.DeadLetter(c.Group, topics.TradeExecutions)
	later, err := dlq.NewLog(c.Client()).Later(t.Context(), topic, map[string]int64{"re_0": 0, "re_1": 1, "re_2": 2})
	if err != nil || len(later) != 2 || later["re_1"] != 3 || later["re_2"] != 4 {
		t.Errorf("%v, %v", later, err)
	}
	if later, err = dlq.NewLog(c.Client()).Later(t.Context(), topic, map[string]int64{"re_1": 3}); err != nil || len(later) != 0 {
		t.Errorf("%v, %v", later, err)
	}
}

func TestAnEntryWaitsWhileItsRequestIsNotSettled(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c, nil)
	write(t, w, entry("re_0", nil), entry("re_1", nil))
	q := &dlq.Request{Entry: "re_0", Source: topics.TradeExecutions, Version: 0, By: "ann@desk", Run: "rp_1", Total: 1}
	c.Produce(q.Record(c.Group))
	states := func() string {
		var s []string
		for _, e := range list(t, c) {
			s = append(s, e.ID+" "+string(e.State))
		}
		return strings.Join(s, ", ")
	}
	if got := states(); got != "re_1 open, re_0 waiting" {
		t.Error(got)
	}
	write(t, w, entry("re_0", nil).Again("", 3)) // it failed again: that request is over
	if got := states(); got != "re_0 open, re_1 open" {
		t.Error(got)
	}
	q.Version = 2
	c.Produce(q.Record(c.Group))
	if got := states(); got != "re_0 waiting, re_1 open" {
		t.Error(got)
	}
	offsets := make(kadm.Offsets)
	offsets.AddOffset(topics.Replay(c.Group), 0, 2, -1)
	if _, err := c.Admin.CommitOffsets(t.Context(), c.Group, offsets); err != nil {
		t.Fatal(err)
	}
	if got := states(); got != "re_0 open, re_1 open" { // it was dropped
		t.Error(got)
	}
}
