package replay

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// backlog is the pending outbox records of replayed source records. Their entries are
// closed already, but they too count for perChannel.
type backlog struct {
	pending map[string]map[int32][]int64 // topic, partition, offsets in order
	looked  time.Time
}

func (b *backlog) add(r *kgo.Record) {
	if b.pending == nil {
		b.pending = make(map[string]map[int32][]int64)
	}
	if b.pending[r.Topic] == nil {
		b.pending[r.Topic] = make(map[int32][]int64)
	}
	b.pending[r.Topic][r.Partition] = append(b.pending[r.Topic][r.Partition], r.Offset)
}

// full reports whether an outbox has perChannel or more.
func (b *backlog) full() bool {
	for _, partitions := range b.pending {
		n := 0
		for _, list := range partitions {
			n += len(list)
		}
		if n >= perChannel {
			return true
		}
	}
	return false
}

// backlogInterval is the shortest interval between two looks at committed offsets.
const backlogInterval = 200 * time.Millisecond

// refresh removes what is committed, and reports whether there is room.
func (b *backlog) refresh(ctx context.Context, adm *kadm.Client, group string) bool {
	if time.Since(b.looked) < backlogInterval {
		return false
	}
	b.looked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	offsets, err := adm.FetchOffsets(ctx, group)
	if err != nil {
		return false
	}
	for topic, partitions := range b.pending {
		for id, list := range partitions {
			if o, ok := offsets.Lookup(topic, id); ok && o.Err == nil {
				i, _ := slices.BinarySearch(list, o.At)
				partitions[id] = list[i:]
			}
		}
	}
	return !b.full()
}
