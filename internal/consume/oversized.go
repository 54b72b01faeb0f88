package consume

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Oversized is a batch that takes more memory unpacked than one may. Its records
// are not read; they stand in their topic as long as that keeps them.
type Oversized struct{ First, Last int64 }

// String says which batch it is, and what can be done.
func (o Oversized) String() string {
	return fmt.Sprintf("the batch with the offsets %d to %d takes more memory unpacked than kafka.window.bytes: none of its records was read", o.First, o.Last)
}

type oversizedKey struct{}

// OversizedOf returns the batch that a record stands for. The record has the
// batch's last offset, the time at which it was met, and nothing else.
func OversizedOf(r *kgo.Record) (Oversized, bool) {
	if r.Context == nil { // as kgo reads them
		return Oversized{}, false
	}
	o, ok := r.Context.Value(oversizedKey{}).(Oversized)
	return o, ok
}

// passOversized hands a batch that cannot be unpacked to the handler, as one
// record in its place, and continues behind it. kgo no longer fetches the partition
// until it is told where to continue. It is called between a poll and
// AllowRebalance, so the partition is ours.
func (m *Member) passOversized(topic string, partition int32, err *kgo.ErrDecompressTooLarge) {
	p := m.partition(topic, partition)
	if p == nil {
		return
	}
	o := Oversized{First: max(err.Offset, p.expected()), Last: err.NextOffset - 1}
	m.log.Error("batch is too large to be unpacked: none of its records is read", "topic", topic, "partition", partition, "first", o.First, "last", o.Last,
		"problem", "a dead letter names it; set a larger kafka.window.bytes and read it again from its first offset, or have its producer send smaller batches")
	m.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {partition: {Epoch: err.Epoch, Offset: err.NextOffset}}})
	m.deliver(topic, kgo.FetchPartition{Partition: partition, Records: []*kgo.Record{{
		Topic: topic, Partition: partition, Offset: o.Last, LeaderEpoch: err.Epoch, Timestamp: time.Now(),
		Context: context.WithValue(context.Background(), oversizedKey{}, o),
	}}})
}

// expected is where the next record is expected; 0: not known.
func (p *Partition) expected() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.next, 0)
}
