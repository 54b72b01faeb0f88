package consume_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/testkafka"
)

// What people do to offsets and topics, with the ordinary tools.

func deleteOffsets(t *testing.T, c *testkafka.Cluster) {
	t.Helper()
	resp, err := c.Admin.DeleteOffsets(t.Context(), c.Group, kadm.TopicsSet{topic: {0: {}}})
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// produceOld writes n records to partition 0 that are older than an hour.
func produceOld(t *testing.T, c *testkafka.Cluster, n int) {
	t.Helper()
	cl := manual(c)
	for i := range n {
		r := &kgo.Record{Topic: topic, Key: []byte("k"), Value: fmt.Append(nil, i), Timestamp: time.Now().Add(-2 * time.Hour)}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func (l *logged) has(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		found := true
		for _, p := range parts {
			found = found && strings.Contains(line, p)
		}
		if found {
			return true
		}
	}
	return false
}

// blockedFor is how many partitions a member's metric says are held for a reason.
func blockedFor(t *testing.T, r *running, reason string) (n float64) {
	t.Helper()
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "notifier_partition_blocked" && l.GetName() == "reason" && l.GetValue() == reason {
					n += m.GetGauge().GetValue()
				}
			}
		}
	}
	return n
}

func manual(c *testkafka.Cluster) *kgo.Client {
	return c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
}

func TestSourceOffsetSetByHandIsHonoured(t *testing.T) {
	for name, at := range map[string]int64{"earlier": 1, "later": 4} {
		t.Run(name, func(t *testing.T) {
			c := testkafka.Start(t, nil)
			produce(t, c, 5)
			w := newWorker()
			first := run(t, c, w, nil)
			testkafka.Eventually(t, 20*time.Second, "all records are handed out", func() bool { return w.count() == 5 })
			w.settle(0, 1, 2)
			if err := first.stop(); err != nil {
				t.Fatal(err)
			}
			commit(t, c, at, "")
			again := newWorker()
			r := run(t, c, again, nil)
			testkafka.Eventually(t, 20*time.Second, "it continues where the offset says", func() bool { return again.count() == int(5-at) })
			if again.got[0] != at {
				t.Errorf("began at %d", again.got[0])
			}
			if !r.log.has("level=WARN", "set by hand", fmt.Sprintf("offset=%d", at), fmt.Sprintf("records=%d", 5-at)) {
				t.Errorf("the log says %s", r.log.text.String())
			}
		})
	}
}

func TestSourceWithDeletedOffsetStartsAtItsBeginning(t *testing.T) {
	c := testkafka.Start(t, nil)
	produce(t, c, 5)
	commit(t, c, 3, offsets.Binding(c.ID, ""))
	deleteOffsets(t, c)
	w := newWorker()
	r := run(t, c, w, nil)
	testkafka.Eventually(t, 20*time.Second, "all records are handed out", func() bool { return w.count() == 5 })
	if !r.log.has("level=WARN", "no offset is committed", "partition=0", "records=5") {
		t.Errorf("the log says %s", r.log.text.String())
	}
	// From now on a missing commit means something: it is there before anything
	// is settled.
	testkafka.Eventually(t, 10*time.Second, "its beginning is committed", func() bool {
		at, metadata := committed(c)
		return at == 0 && strings.HasPrefix(metadata, "notifier/2 "+c.ID)
	})
}

// TestOutboxWithDeletedOffsetIsBlocked: what stands in it has been sent, and
// would all be sent again.
func TestOutboxWithDeletedOffsetIsBlocked(t *testing.T) {
	c := testkafka.Start(t, nil)
	produceOld(t, c, 3)
	produce(t, c, 2)
	own := func(p *consume.Params) { p.OwnTopics = true }
	w := newWorker()
	r := run(t, c, w, own)
	testkafka.Eventually(t, 20*time.Second, "the partition is held and says so", func() bool {
		held := r.Status().Blocked
		return len(held) == 1 && strings.Contains(held[0].Reason, "run --start earliest|latest|TIME")
	})
	testkafka.Eventually(t, 10*time.Second, "the metric says so", func() bool { return blockedFor(t, r, "offset") == 1 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if w.count() != 0 {
		t.Errorf("%d records were handed out", w.count())
	}
	if at, _ := committed(c); at != -1 {
		t.Errorf("%d is committed", at)
	}

	err := consume.AcceptOffsets(t.Context(), c.Admin, consume.StartParams{
		Group: c.Group, Cluster: c.ID, Topics: []string{topic}, Start: consume.Start{At: time.Now().Add(-time.Hour)}, Force: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, c, w, own)
	testkafka.Eventually(t, 20*time.Second, "it continues where it was told to", func() bool { return w.count() == 2 })
	if w.got[0] != 3 {
		t.Errorf("began at %d", w.got[0])
	}
}

// TestNonsenseTimestampsHoldNoOutbox: a record of 1970 was not read before, it
// has no time; but what is old behind it was.
func TestNonsenseTimestampsHoldNoOutbox(t *testing.T) {
	for name, old := range map[string]bool{"nonsense alone": false, "old records behind it": true} {
		t.Run(name, func(t *testing.T) {
			c := testkafka.Start(t, nil)
			cl := manual(c)
			for _, at := range []time.Time{time.UnixMilli(time.Now().Unix()), time.UnixMilli(0)} {
				if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("0"), Timestamp: at}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			if old {
				produceOld(t, c, 1)
			}
			produce(t, c, 3)
			w := newWorker()
			r := run(t, c, w, func(p *consume.Params) { p.OwnTopics = true })
			testkafka.Eventually(t, 20*time.Second, "it is held, or read", func() bool { return len(r.Status().Blocked) == 1 || w.count() > 0 })
			if held := len(r.Status().Blocked) == 1; held != old {
				t.Errorf("held: %v", held)
			}
			if !old {
				testkafka.Eventually(t, 20*time.Second, "all records are handed out", func() bool { return w.count() == 5 })
			}
		})
	}
}

// TestANewOutboxIsReadFromItsBeginning: its first alerts may be written before
// its first commit.
func TestANewOutboxIsReadFromItsBeginning(t *testing.T) {
	c := testkafka.Start(t, nil)
	produce(t, c, 5)
	w := newWorker()
	run(t, c, w, func(p *consume.Params) { p.OwnTopics = true })
	testkafka.Eventually(t, 20*time.Second, "all records are handed out", func() bool { return w.count() == 5 })
}

func TestOutboxOffsetSetByHandCanBeAccepted(t *testing.T) {
	c := testkafka.Start(t, nil)
	produce(t, c, 5)
	commit(t, c, 3, "")
	accept := func() error {
		return consume.AcceptOffsets(t.Context(), c.Admin, consume.StartParams{Group: c.Group, Cluster: c.ID, Topics: []string{topic}, Force: true})
	}
	w := newWorker()
	own := func(p *consume.Params) { p.OwnTopics = true }
	held := run(t, c, w, own)
	testkafka.Eventually(t, 20*time.Second, "it is held", func() bool { return len(held.Status().Blocked) == 1 })
	if err := accept(); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("while a member runs: %v", err)
	}
	if err := held.stop(); err != nil {
		t.Fatal(err)
	}
	if err := accept(); err != nil {
		t.Fatal(err)
	}
	run(t, c, w, own)
	testkafka.Eventually(t, 20*time.Second, "it continues where the offset was set", func() bool { return w.count() == 2 })
	if w.got[0] != 3 {
		t.Errorf("began at %d", w.got[0])
	}
}

func TestAddedPartitionsAreReadFromTheirBeginning(t *testing.T) {
	for name, own := range map[string]bool{"source": false, "outbox": true} {
		t.Run(name, func(t *testing.T) {
			c := testkafka.Start(t, nil)
			produce(t, c, 2)
			w := newWorker()
			run(t, c, w, func(p *consume.Params) {
				p.OwnTopics = own
				p.Options = append(p.Options, kgo.MetadataMaxAge(time.Second))
			})
			testkafka.Eventually(t, 20*time.Second, "what is there is handed out", func() bool { return w.count() == 2 })
			resp, err := c.Admin.CreatePartitions(t.Context(), 2, topic)
			if err == nil {
				err = resp.Error()
			}
			if err != nil {
				t.Fatal(err)
			}
			// Written before anybody has the partition: none of it may be missed.
			cl := manual(c)
			testkafka.Eventually(t, 20*time.Second, "the new partition can be written", func() bool {
				return cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: 4, Value: []byte("first of the new")}).FirstErr() == nil
			})
			testkafka.Eventually(t, 30*time.Second, "it is handed out", func() bool {
				w.mu.Lock()
				defer w.mu.Unlock()
				for _, v := range w.values {
					if v == "first of the new" {
						return true
					}
				}
				return false
			})
		})
	}
}
