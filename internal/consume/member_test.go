package consume_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

const topic = string(topics.TradeExecutions)

// worker is a handler that begins every record and settles it when told to.
type worker struct {
	mu      sync.Mutex
	entries map[int64]*offsets.Entry // of partition 0
	part    *consume.Partition       // 0
	got     []int64
	values  []string
	stay    chan struct{} // not nil: its handler outlasts a revoke until it is closed
}

func newWorker() *worker { return &worker{entries: make(map[int64]*offsets.Entry)} }

// Handle implements consume.Handler.
func (w *worker) Handle(ctx context.Context, p *consume.Partition) {
	for {
		records, err := p.Next(ctx)
		if err != nil {
			break
		}
		w.mu.Lock()
		for _, r := range records {
			e := p.Begin(r, offsets.Origin{})
			if p.ID == 0 {
				w.part, w.entries[r.Offset] = p, e
			}
			w.got = append(w.got, r.Offset)
			w.values = append(w.values, string(r.Value))
		}
		w.mu.Unlock()
	}
	if w.stay != nil {
		<-w.stay
	}
}

func (w *worker) settle(offsets ...int64) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range offsets {
		changed = w.part.Settle(w.entries[o])
	}
	return changed
}

func (w *worker) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.got)
}

// logged is a log that a test reads while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

type running struct {
	*consume.Member
	reg  *prometheus.Registry
	log  *logged
	stop func() error
	wait func() error // until it ends by itself
}

// run runs a member until the test or stop ends it.
func run(t *testing.T, c *testkafka.Cluster, h consume.Handler, change func(*consume.Params)) *running {
	t.Helper()
	r := &running{reg: prometheus.NewPedanticRegistry(), log: &logged{}}
	p := consume.Params{
		Name: "ingest", Group: c.Group, Topics: []string{topic}, Cluster: c.ID, Options: c.Options(), SessionTimeout: 10 * time.Second,
		Window: consume.Window{Records: 4096, Bytes: 64 << 20}, Drain: time.Second, Handler: h,
		Logger: slog.New(slog.NewTextHandler(r.log, nil)), Registry: r.reg,
	}
	if change != nil {
		change(&p)
	}
	r.Member = consume.New(p)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		err = r.Run(ctx)
	}()
	r.wait = func() error { // its error is the test's business
		<-ended
		result := err
		err = nil
		return result
	}
	r.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case <-ended:
			return err
		case <-time.After(20 * time.Second):
			return errors.New("the member does not stop")
		}
	})
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// produce writes n records to partition 0.
func produce(t *testing.T, c *testkafka.Cluster, n int) {
	t.Helper()
	var records []*kgo.Record
	for i := range n {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte("k"), Value: fmt.Append(nil, i)})
	}
	if err := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func committed(c *testkafka.Cluster) (int64, string) {
	o, ok := c.Committed(c.Group).Lookup(topic, 0)
	if !ok {
		return -1, ""
	}
	return o.At, o.Metadata
}

// commit commits an offset of partition 0 as another tool would.
func commit(t *testing.T, c *testkafka.Cluster, at int64, metadata string) {
	t.Helper()
	offsets := make(kadm.Offsets)
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: at, LeaderEpoch: -1, Metadata: metadata})
	resp, err := c.Admin.CommitOffsets(t.Context(), c.Group, offsets)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsCommittedAboveAGap(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := newWorker()
	run(t, c, w, nil)
	produce(t, c, 6)
	testkafka.Eventually(t, 20*time.Second, "all records are handed out", func() bool { return w.count() == 6 })
	w.settle(5, 3, 4)
	w.settle(0)
	at := func(want int64) func() bool {
		return func() bool {
			got, _ := committed(c)
			return got == want
		}
	}
	testkafka.Eventually(t, 10*time.Second, "what is below the gap is committed", at(1))
	w.settle(2)
	if got, _ := committed(c); got != 1 {
		t.Errorf("committed up to %d above the gap at 1", got)
	}
	w.settle(1)
	testkafka.Eventually(t, 10*time.Second, "the gap is closed and all is committed", at(6))
	if _, metadata := committed(c); !strings.HasPrefix(metadata, "notifier/2 "+c.ID+" ") {
		t.Errorf("the commit's metadata is %q", metadata)
	}
}

// TestDeliveriesSettledBehindAGapAreUncommitted: a commit says of it that it is
// finished, so it waits for one like all else.
func TestDeliveriesSettledBehindAGapAreUncommitted(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to refuse commits")
		return
	}
	c := testkafka.Start(t, nil)
	produce(t, c, 3)
	w := newWorker()
	run(t, c, w, nil)
	testkafka.Eventually(t, 10*time.Second, "three records", func() bool { return w.count() == 3 })
	refused := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorLoadInProgress, Count: -1})
	w.settle(1, 2)
	if n := w.part.Uncommitted(); n != 2 {
		t.Errorf("%d records are settled and not committed, want 2", n)
	}
	refused.Remove()
	testkafka.Eventually(t, 10*time.Second, "they are committed behind the gap", func() bool { return w.part.Uncommitted() == 0 })
}

func TestACompletionAfterARevokeChangesNothing(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := newWorker()
	w.stay = make(chan struct{})
	first := run(t, c, w, nil)
	produce(t, c, 3)
	testkafka.Eventually(t, 20*time.Second, "all records are handed out", func() bool { return w.count() == 3 })
	w.settle(0)
	if err := first.stop(); err != nil { // its handler outlasts the stop
		t.Fatal(err)
	}
	if w.settle(1, 2) {
		t.Error("a completion after the partition was given up counts")
	}
	next := newWorker()
	run(t, c, next, nil)
	testkafka.Eventually(t, 20*time.Second, "the next owner has what was not settled", func() bool { return next.count() == 2 })
	close(w.stay)
	if at, _ := committed(c); at != 1 {
		t.Errorf("committed up to %d, want 1", at)
	}
}

func TestForeignMetadataIsIgnoredAndItsOffsetHonoured(t *testing.T) {
	for name, metadata := range map[string]string{
		"another tool's": "mirrored by hand at 12:00", "another version's": "notifier/9 x y z", "another cluster's": "notifier/2 other-cluster AAAA",
		"corrupt": "notifier/2 ? !!!", "long": strings.Repeat("x", 4000), "none": "",
	} {
		t.Run(name, func(t *testing.T) {
			c := testkafka.Start(t, nil)
			produce(t, c, 5)
			commit(t, c, 3, metadata)
			w := newWorker()
			run(t, c, w, nil)
			testkafka.Eventually(t, 20*time.Second, "it continues where the offset says", func() bool { return w.count() == 2 })
			if w.got[0] != 3 {
				t.Errorf("began at %d", w.got[0])
			}
		})
	}
}

func TestOffsetOfRecreatedTopicIsIgnored(t *testing.T) {
	c := testkafka.Start(t, nil)
	produce(t, c, 5)
	commit(t, c, 3, offsets.Binding(c.ID, "AAAAAAAAAAAAAAAAAAAAAA"))
	w := newWorker()
	run(t, c, w, nil)
	testkafka.Eventually(t, 20*time.Second, "it begins at the beginning", func() bool { return w.count() == 5 })
}

func TestOutboxWithOffsetSetByHandIsBlocked(t *testing.T) {
	c := testkafka.Start(t, nil)
	produce(t, c, 5)
	commit(t, c, 3, "")
	w := newWorker()
	r := run(t, c, w, func(p *consume.Params) { p.OwnTopics = true })
	testkafka.Eventually(t, 20*time.Second, "the partition is held and says so", func() bool {
		held := r.Status().Blocked
		return len(held) == 1 && strings.Contains(held[0].Reason, "run --start")
	})
	if w.count() != 0 {
		t.Error("something was handed out")
	}
}

func TestEventsThatRetentionDeletedAreCountedAndSaid(t *testing.T) {
	c := testkafka.Start(t, nil)
	produce(t, c, 50)
	commit(t, c, 10, "x")
	deleted := make(kadm.Offsets)
	deleted.Add(kadm.Offset{Topic: topic, Partition: 0, At: 40})
	if _, err := c.Admin.DeleteRecords(t.Context(), deleted); err != nil {
		t.Fatal(err)
	}
	w := newWorker()
	r := run(t, c, w, nil)
	testkafka.Eventually(t, 20*time.Second, "what is left is handed out", func() bool { return w.count() == 10 })
	want := fmt.Sprintf("# HELP notifier_events_lost_total Records that were deleted before they were handled: by retention, or with their topic.\n# TYPE notifier_events_lost_total counter\nnotifier_events_lost_total{stage=\"ingest\",topic=%q} 30\n", topic)
	if err := testutil.GatherAndCompare(r.reg, strings.NewReader(want), "notifier_events_lost_total"); err != nil {
		t.Error(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if log := r.log.text.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "events=30") {
		t.Errorf("the log says %s", log)
	}
}

func TestAFullWindowPausesItsPartitionAndResumes(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := newWorker()
	run(t, c, w, func(p *consume.Params) { p.Window.Records = 16 })
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	produce := func(partition int32, value string) {
		t.Helper()
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	flows := func(value string) {
		t.Helper()
		produce(1, value)
		testkafka.Eventually(t, 20*time.Second, "another partition flows", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return slices.Contains(w.values, value)
		})
	}
	const total, window = 400, 16
	for i := range window {
		produce(0, fmt.Sprint(i))
	}
	testkafka.Eventually(t, 20*time.Second, "the window is full", func() bool { return w.count() >= window })
	flows("while it is full") // the poll that fetched this came after the partition was paused
	for i := window; i < total; i++ {
		produce(0, fmt.Sprint(i))
	}
	flows("when more has come")
	if n := w.count() - 2; n != window { // without those of the other partition
		t.Errorf("%d records were handed out of a window of %d", n, window)
	}
	settled := int64(0)
	testkafka.Eventually(t, 30*time.Second, "everything comes, in order", func() bool {
		w.mu.Lock()
		var have []*offsets.Entry
		for ; settled < total && w.entries[settled] != nil; settled++ {
			have = append(have, w.entries[settled])
		}
		part := w.part
		w.mu.Unlock()
		for _, e := range have {
			part.Settle(e)
		}
		return settled == total
	})
}

func TestGaugesOfAPartitionEndWithIt(t *testing.T) {
	c := testkafka.Start(t, nil)
	r := run(t, c, newWorker(), nil)
	assigned := func(n int) func() bool {
		want := fmt.Sprintf("# HELP notifier_assigned_partitions Partitions assigned to this process.\n# TYPE notifier_assigned_partitions gauge\nnotifier_assigned_partitions{stage=\"ingest\",topic=%q} %d\n", topic, n)
		return func() bool {
			return testutil.GatherAndCompare(r.reg, strings.NewReader(want), "notifier_assigned_partitions") == nil
		}
	}
	joined := func(n int) bool {
		want := fmt.Sprintf("# HELP notifier_group_joined 1 while this process is a member of the group, with or without partitions.\n# TYPE notifier_group_joined gauge\nnotifier_group_joined{group=%q,stage=\"ingest\"} %d\n", c.Group, n)
		return testutil.GatherAndCompare(r.reg, strings.NewReader(want), "notifier_group_joined") == nil
	}
	testkafka.Eventually(t, 20*time.Second, "three partitions are assigned", assigned(3))
	if !joined(1) {
		t.Error("a member with partitions is said not to have joined")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if !assigned(0)() {
		t.Error("the gauge outlives the assignment")
	}
}

func TestAGroupWhoseOffsetsExpiredIsRefused(t *testing.T) {
	c := testkafka.Start(t, nil)
	own := topics.DeadLetter(c.Group, topics.TradeExecutions)
	produce(t, c, 3)
	start := func(change func(*consume.StartParams)) error {
		p := consume.StartParams{Group: c.Group, Cluster: c.ID, Topics: []string{topic}, Own: []string{own}}
		if change != nil {
			change(&p)
		}
		return consume.EnsureStart(t.Context(), c.Admin, p)
	}
	if err := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(t.Context(), &kgo.Record{Topic: own, Key: []byte("re_1"), Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := start(nil); !errors.Is(err, consume.ErrExpired) || !strings.Contains(err.Error(), "run --start earliest|latest|TIME") {
		t.Fatalf("got %v", err)
	}
	if err := start(func(p *consume.StartParams) { p.Force, p.Start.Latest = true, true }); err != nil {
		t.Fatal(err)
	}
	if at, _ := committed(c); at != 3 {
		t.Errorf("latest is %d, want 3", at)
	}
	if err := start(nil); err != nil {
		t.Errorf("with offsets it is fine: %v", err)
	}
}

// TestUnknownOffsetsAreNotSet: an error of one partition, of the group or of a
// log, does not count as no offset.
func TestUnknownOffsetsAreNotSet(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to fail")
		return
	}
	own := topics.DeadLetter("notification-service", topics.TradeExecutions)
	for name, tc := range map[string]struct {
		key   kmsg.Key
		topic string
		set   func(context.Context, *kadm.Client, consume.StartParams) error
		start consume.Start
	}{
		"offset of a source":   {kmsg.OffsetFetch, topic, consume.EnsureStart, consume.Start{}},
		"offset of an outbox":  {kmsg.OffsetFetch, topic, consume.AcceptOffsets, consume.Start{}},
		"end of our own topic": {kmsg.ListOffsets, own, consume.EnsureStart, consume.Start{}},
		"end of a source":      {kmsg.ListOffsets, topic, consume.EnsureStart, consume.Start{Latest: true}},
	} {
		t.Run(name, func(t *testing.T) {
			c := testkafka.Start(t, nil)
			produce(t, c, 3)
			want := int64(-1)
			if tc.key == kmsg.OffsetFetch {
				want = 2
				commit(t, c, want, "")
			}
			if tc.key == kmsg.OffsetFetch {
				c.FailOffset(c.Group, tc.topic, kerr.UnknownServerError)
			} else {
				c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{tc.key}, Topic: tc.topic, Partitions: []int32{0}, Err: kerr.UnknownServerError, Count: 1})
			}
			err := tc.set(t.Context(), c.Admin, consume.StartParams{Group: c.Group, Cluster: c.ID, Topics: []string{topic}, Own: []string{own}, Start: tc.start})
			at := int64(-1)
			offsets, _ := c.Admin.FetchOffsets(t.Context(), c.Group) // without a commit there is no group
			if o, ok := offsets.Lookup(topic, 0); ok {
				at = o.At
			}
			if !errors.Is(err, kerr.UnknownServerError) || at != want {
				t.Errorf("%v, committed %d", err, at)
			}
		})
	}
}

func TestCommitRefusedForMetadataIsRepeatedWithout(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("the refusal is kfake's: a real broker's limit is not reached by what we write")
		return
	}
	c := testkafka.Start(t, nil)
	w := newWorker()
	run(t, c, w, func(p *consume.Params) { p.OwnTopics = true })
	produce(t, c, 2)
	testkafka.Eventually(t, 20*time.Second, "all records are handed out", func() bool { return w.count() == 2 })
	refused := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: c.Group, Err: kerr.OffsetMetadataTooLarge, Count: 1})
	w.settle(0, 1)
	testkafka.Eventually(t, 20*time.Second, "it is committed all the same", func() bool {
		at, metadata := committed(c)
		return at == 2 && strings.HasPrefix(metadata, "notifier/2 "+c.ID)
	})
	if refused.Hits() != 1 {
		t.Errorf("%d commits were refused", refused.Hits())
	}
}
