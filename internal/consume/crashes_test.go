package consume_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/testkafka"
)

// mortal is a handler that takes records in order. It dies at records of the value "poison", which
// for a test means that it never returns while its process lives.
type mortal struct {
	mu      sync.Mutex
	handled map[string]int // by value, of all partitions
	crashes []string
	died    chan struct{} // closed at its death
	end     chan struct{} // closed when the test is over
	batches []int
	once    sync.Once
}

func newMortal(t *testing.T) *mortal {
	w := &mortal{handled: make(map[string]int), died: make(chan struct{}), end: make(chan struct{})}
	t.Cleanup(func() { close(w.end) })
	return w
}

// Handle implements consume.Handler.
func (w *mortal) Handle(ctx context.Context, p *consume.Partition) {
	for {
		records, err := p.Next(ctx)
		if err != nil {
			return
		}
		w.mu.Lock()
		w.batches = append(w.batches, len(records))
		w.mu.Unlock()
		for _, r := range records {
			switch {
			case p.Crashes(r):
				w.mu.Lock()
				w.crashes = append(w.crashes, string(r.Value))
				w.mu.Unlock()
			case string(r.Value) == "poison":
				w.once.Do(func() { close(w.died) })
				<-w.end
				return
			default:
				w.mu.Lock()
				w.handled[string(r.Value)]++
				w.mu.Unlock()
			}
		}
		p.Handled(records[len(records)-1].Offset)
		p.Advance(records[len(records)-1], 1)
	}
}

func (w *mortal) count(value string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.handled[value]
}

// lives runs one process after the other under the same instance id, each until it
// dies, and returns the one that does not.
func lives(t *testing.T, c *testkafka.Cluster, most int, done func(*mortal) bool) (last *mortal, deaths int) {
	t.Helper()
	for {
		w := newMortal(t)
		r := run(t, c, w, func(p *consume.Params) { p.InstanceID, p.Marked, p.Drain = "a", []string{topic}, 10*time.Millisecond })
		deadline := time.Now().Add(30 * time.Second)
		for alive := true; alive; {
			select {
			case <-w.died:
				alive = false
			case <-time.After(10 * time.Millisecond):
				if done(w) {
					return w, deaths
				}
				if time.Now().After(deadline) {
					t.Fatalf("after %d deaths it does not finish: %s", deaths, r.log.text.String())
				}
			}
		}
		if deaths++; deaths > most {
			t.Fatalf("%d processes died", deaths)
		}
		// The next one takes over its instance id: the group fences the dead one, which
		// so commits nothing and leaves nothing, as a killed process does.
		t.Cleanup(func() { _ = r.wait() })
	}
}

func produceTo(t *testing.T, c *testkafka.Cluster, partition int32, values ...string) {
	t.Helper()
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)})
	}
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// TestRecordThatKillsProcessesIsFound, in live traffic: three processes die, none
// of them of another record, and what is behind it is handled.
func TestRecordThatKillsProcessesIsFound(t *testing.T) {
	c := testkafka.Start(t, nil)
	produceTo(t, c, 0, "a", "poison", "b")
	produceTo(t, c, 1, "c", "d")
	last, deaths := lives(t, c, 3, func(w *mortal) bool { return w.count("b") == 1 })
	if deaths != 3 || !slices.Equal(last.crashes, []string{"poison"}) {
		t.Errorf("after %d deaths it is %v that crashes", deaths, last.crashes)
	}
	testkafka.Eventually(t, 20*time.Second, "all is committed", func() bool { return c.Lag(c.Group) == 0 })
}

// TestCrashingRecordIsFoundInABacklog, among thousands: one process more
// dies, since the first two do not know which of many it was.
func TestCrashingRecordIsFoundInABacklog(t *testing.T) {
	c := testkafka.Start(t, nil)
	var values []string
	for i := range 5000 {
		values = append(values, fmt.Sprint(i))
	}
	produceTo(t, c, 0, slices.Concat(values[:3000], []string{"poison"}, values[3000:])...)
	produceTo(t, c, 1, "c", "d")
	last, deaths := lives(t, c, 4, func(w *mortal) bool { return w.count("4999") == 1 })
	if deaths != 4 || !slices.Equal(last.crashes, []string{"poison"}) {
		t.Errorf("after %d deaths it is %v that crashes", deaths, last.crashes)
	}
}

// TestTwoRecordsThatKillProcessesAreFound: on two partitions at once, and one
// behind the other. Records beside them are never blamed.
func TestTwoRecordsThatKillProcessesAreFound(t *testing.T) {
	c := testkafka.Start(t, nil)
	produceTo(t, c, 0, "a", "poison", "b", "poison", "c")
	produceTo(t, c, 1, "d", "poison", "e")
	var crashed []string
	last, _ := lives(t, c, 12, func(w *mortal) bool { return w.count("c") == 1 || w.count("e") == 1 && c.Lag(c.Group) == 0 })
	crashed = append(crashed, last.crashes...)
	for _, v := range crashed {
		if v != "poison" {
			t.Errorf("%q is taken for what kills", v)
		}
	}
	testkafka.Eventually(t, 20*time.Second, "all is committed", func() bool { return c.Lag(c.Group) == 0 })
}

// TestProcessThatLeavesIsNotSuspected: after a clean stop nothing is handed out in
// small steps.
func TestProcessThatLeavesIsNotSuspected(t *testing.T) {
	c := testkafka.Start(t, nil)
	produceTo(t, c, 0, "a")
	marked := func(p *consume.Params) { p.Marked = []string{topic} }
	w := newMortal(t)
	r := run(t, c, w, marked)
	testkafka.Eventually(t, 20*time.Second, "the first is handled and the owner's mark is committed", func() bool {
		if w.count("a") == 0 {
			return false
		}
		_, metadata := committed(c)
		return strings.HasSuffix(metadata, " - - +")
	})
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if _, metadata := committed(c); strings.Contains(metadata, "+") {
		t.Fatalf("it left, and its commit still says %q", metadata)
	}
	produceTo(t, c, 0, "b", "c", "d", "e")
	w = newMortal(t)
	run(t, c, w, marked)
	testkafka.Eventually(t, 20*time.Second, "the rest is handled", func() bool { return w.count("e") == 1 })
	if !slices.Equal(w.batches, []int{4}) {
		t.Errorf("batches of %v", w.batches)
	}
}

// TestMarksAwaitNoCommitInSteadyState: an owner's first record waits for its mark,
// no further one waits for any commit.
func TestMarksAwaitNoCommitInSteadyState(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to refuse")
		return
	}
	c := testkafka.Start(t, nil)
	w := newMortal(t)
	run(t, c, w, func(p *consume.Params) { p.Marked = []string{topic} })
	produceTo(t, c, 0, "first")
	testkafka.Eventually(t, 20*time.Second, "it is handled and committed", func() bool { return w.count("first") == 1 && c.Lag(c.Group) == 0 })
	refused := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: c.Group, Err: kerr.CoordinatorLoadInProgress, Count: -1})
	defer refused.Remove()
	for i := range 50 {
		produceTo(t, c, 0, fmt.Sprint(i))
		testkafka.Eventually(t, time.Second, "it is handled", func() bool { return w.count(fmt.Sprint(i)) == 1 })
	}
}

// TestMarksThatBrokersDoNotTakeStopNothing: records are handled although nothing can be
// committed, after a moment.
func TestMarksThatBrokersDoNotTakeStopNothing(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to refuse")
		return
	}
	c := testkafka.Start(t, nil)
	refused := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: c.Group, Err: kerr.CoordinatorLoadInProgress, Count: -1})
	defer refused.Remove()
	w := newMortal(t)
	r := run(t, c, w, func(p *consume.Params) { p.Marked = []string{topic} })
	produceTo(t, c, 0, "first")
	testkafka.Eventually(t, 20*time.Second, "it is handled", func() bool { return w.count("first") == 1 })
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	if !strings.Contains(r.log.text.String(), "a record that crashes the process will not be found") {
		t.Errorf("it does not say so: %s", r.log.text.String())
	}
}
