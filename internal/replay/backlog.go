package replay

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// backlog is the outbox records of replayed records, whose entries are closed
// already, as far as they are not sent: they too must not stand before a live
// alert by the thousand.
type backlog struct {
	sent  map[string]map[int32][]int64 // topic, partition, offsets in order
	count map[string]int               // by topic
	asked time.Time
}

func (b *backlog) add(r *kgo.Record) {
	if b.sent == nil {
		b.sent, b.count = make(map[string]map[int32][]int64), make(map[string]int)
	}
	if b.sent[r.Topic] == nil {
		b.sent[r.Topic] = make(map[int32][]int64)
	}
	b.sent[r.Topic][r.Partition] = append(b.sent[r.Topic][r.Partition], r.Offset)
	b.count[r.Topic]++
}

// full reports whether a channel has as many as it may.
func (b *backlog) full() bool {
	for _, n := range b.count {
		if n >= perChannel {
			return true
		}
	}
	return false
}

// backlogInterval is how often the brokers are asked how far sending has come.
const backlogInterval = 200 * time.Millisecond

// refresh forgets what was sent meanwhile, and reports whether there is room.
func (b *backlog) refresh(ctx context.Context, adm *kadm.Client, group string) bool {
	if time.Since(b.asked) < backlogInterval {
		return false
	}
	b.asked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	offsets, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return false
	}
	for topic, partitions := range b.sent {
		for id, list := range partitions {
			o, ok := offsets.Lookup(topic, id)
			if !ok || o.Err != nil {
				continue
			}
			i := 0
			for i < len(list) && list[i] < o.At {
				i++
			}
			partitions[id] = list[i:]
			b.count[topic] -= i
		}
	}
	return !b.full()
}
