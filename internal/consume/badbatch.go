package consume

import (
	"context"
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// badBatch is a batch that cannot be decoded: the offset at which it stopped
// us, and the one behind its last record; 0: not known.
type badBatch struct{ begin, end int64 }

// measure looks how far a batch goes that cannot be decoded, so that a person
// can be told what to skip. Its header usually is well; kgo only does not show
// it.
func (m *Member) measure(ctx context.Context, p *Partition, at int64) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	topics, err := m.admin.ListTopics(ctx, p.Topic)
	if err != nil {
		return
	}
	topic := topics[p.Topic]
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 1000, 1, 1<<10 // at least one whole batch comes
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = p.ID, at, 1<<10
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = p.Topic, topic.ID, []kmsg.FetchRequestTopicPartition{part}
	req.Topics = []kmsg.FetchRequestTopic{t}
	resp, err := req.RequestWith(ctx, m.client.Broker(int(topic.Partitions[p.ID].Leader)))
	if err != nil || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return
	}
	if end := endOf(resp.Topics[0].Partitions[0].RecordBatches, at); end > 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.bad.begin == at {
			p.bad.end = end
		}
	}
}

// endOf reads from the header of a batch (magic 2) the offset behind its last
// record; 0 where it makes no sense.
func endOf(batch []byte, at int64) int64 {
	if len(batch) < 27 || batch[16] != 2 {
		return 0
	}
	base := int64(binary.BigEndian.Uint64(batch))
	delta := int64(int32(binary.BigEndian.Uint32(batch[23:])))
	if base > at || delta < 0 || base+delta < at {
		return 0
	}
	return base + delta + 1
}
