package consume_test

import (
	"context"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/unpack"
)

// advancer is a handler that settles what it is given, in order. Partitions 0 and
// 1 stand still until they may.
type advancer struct {
	may     chan struct{} // closed: they may
	mu      sync.Mutex
	bytes   int
	records map[int32]int
	last    map[int32]int64
	values  []string // of those that are short
}

func newAdvancer() *advancer {
	return &advancer{may: make(chan struct{}), records: make(map[int32]int), last: make(map[int32]int64)}
}

// Handle implements consume.Handler.
func (a *advancer) Handle(ctx context.Context, p *consume.Partition) {
	for {
		records, err := p.Next(ctx)
		if err != nil {
			return
		}
		if p.ID < 2 {
			select {
			case <-a.may:
			case <-ctx.Done():
				return
			}
		}
		a.mu.Lock()
		for _, r := range records {
			a.bytes += len(r.Value)
			if r.Offset > a.last[p.ID] || a.records[p.ID] == 0 { // once, though it comes again after a rebalance
				a.records[p.ID]++
				a.last[p.ID] = r.Offset
			}
			if len(r.Value) < 100 {
				a.values = append(a.values, string(r.Value))
			}
		}
		a.mu.Unlock()
		p.Advance(records[len(records)-1], 0)
	}
}

func (a *advancer) has(value string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.values, value)
}

func (a *advancer) count(partition int32) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.records[partition]
}

// bombs writes batches to a partition that are small on their way: 35 records of
// 1 MiB each.
func bombs(t *testing.T, c *testkafka.Cluster, partition int32, n int) {
	t.Helper()
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerLinger(time.Minute), kgo.ProducerBatchMaxBytes(64<<20))
	value := make([]byte, 1<<20)
	for range n {
		var promised sync.WaitGroup
		for range 35 {
			promised.Add(1)
			cl.Produce(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: value}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
				promised.Done()
			})
		}
		if err := cl.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		promised.Wait()
	}
}

// peak measures the heap while it runs: what is live, and garbage that is not
// collected yet.
func peak(t *testing.T) (end func() (mib uint64)) {
	t.Helper()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	runtime.GC()
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	var most atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			most.Store(max(most.Load(), sample[0].Value.Uint64()))
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		return (most.Load() - min(before, most.Load())) >> 20
	}
}

// 81 batches of 1.3 KB come in one fetch and unpack to 2.8 GB.
func TestUnpackedBatchesAreBounded(t *testing.T) {
	c := testkafka.Start(t, nil)
	bombs(t, c, 0, 81)
	produce(t, c, 1)
	a := newAdvancer()
	close(a.may)
	most := peak(t)
	r := run(t, c, a, nil)
	testkafka.Eventually(t, 3*time.Minute, "all are handled", func() bool { return a.count(0) == 81*35+1 })
	mib := most()
	t.Logf("%d MiB at most", mib)
	if mib > 300 {
		t.Errorf("%d MiB at most", mib)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// Partitions whose handlers stand still have as much memory as there is, and are
// paused; others are read all the same. Then the partitions move to another
// member and back, and everything is handled.
func TestStuckPartitionsLeaveRoomForOthers(t *testing.T) {
	c := testkafka.Start(t, nil)
	for partition := range int32(2) {
		bombs(t, c, partition, 8)
	}
	limits := kgo.WithDecompressor(unpack.New(unpack.Limits{Batch: 64 << 20, Total: 80 << 20}))
	small := func(p *consume.Params) {
		p.Options = append(p.Options, limits)
		p.Window.Bytes = 8 << 20
	}
	stuck := newAdvancer()
	r := run(t, c, stuck, small)
	testkafka.Eventually(t, 30*time.Second, "there is no room", func() bool {
		families, err := r.reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "notifier_batches_waited_total" {
				return f.GetMetric()[0].GetCounter().GetValue() > 0
			}
		}
		return false
	})

	// What else there is to read comes, though the two hold what they hold.
	packed := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err := packed.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: 2, Value: []byte("another partition's")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	testkafka.Eventually(t, 30*time.Second, "it comes", func() bool { return stuck.has("another partition's") })

	other := newAdvancer()
	second := run(t, c, other, small)
	testkafka.Eventually(t, 30*time.Second, "both have partitions", func() bool { return r.Status().Partitions > 0 && second.Status().Partitions > 0 })
	close(stuck.may)
	close(other.may)
	testkafka.Eventually(t, 3*time.Minute, "all are handled", func() bool {
		for partition := range int32(2) {
			if max(stuck.count(partition), other.count(partition)) < 8*35 {
				return false
			}
		}
		return true
	})
}
