package dlq

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/unpack"
)

// Log reads records by their offsets, without a group and without committing:
// one record, a block, or a partition backwards from its end. It is safe for
// concurrent use.
type Log struct {
	client *kgo.Client
	admin  *kadm.Client
	unpack kgo.Decompressor // the client's, bounded as the client's is, but never refused for want of room

	mu     sync.Mutex
	topics map[string]kadm.TopicDetail // leaders and ids, as last looked up
}

// NewLog returns a Log over any client of the cluster.
func NewLog(client *kgo.Client) *Log {
	decompressor, _ := client.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	if d, ok := decompressor.(*unpack.Decompressor); ok {
		decompressor = d.Unrefused()
	}
	return &Log{client: client, admin: kadm.NewClient(client), unpack: decompressor, topics: make(map[string]kadm.TopicDetail)}
}

// Span is a part of a partition: the records with offsets in [Start, End).
// Offsets may be absent, where compaction took their records away.
type Span struct {
	Topic      string
	Partition  int32
	Start, End int64
}

// Spans returns what the topics hold now. A topic that does not exist is an
// error.
func (l *Log) Spans(ctx context.Context, names ...string) ([]Span, error) {
	starts, err := l.admin.ListStartOffsets(ctx, names...)
	if err != nil {
		return nil, err
	}
	ends, err := l.admin.ListEndOffsets(ctx, names...)
	if err != nil {
		return nil, err
	}
	if err := ends.Error(); err != nil {
		return nil, err
	}
	var spans []Span
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		spans = append(spans, Span{Topic: end.Topic, Partition: end.Partition, Start: start.Offset, End: end.Offset})
	})
	slices.SortFunc(spans, func(a, b Span) int {
		if d := slices.Index(names, a.Topic) - slices.Index(names, b.Topic); d != 0 {
			return d
		}
		return int(a.Partition - b.Partition)
	})
	return spans, nil
}

// Read returns the records from an offset on, in order: about maxBytes of
// them as they are stored and readUnpacked as they are unpacked, but whatever
// their size at least one batch where there is one. next is where to go on; it is
// offset when there is nothing more.
func (l *Log) Read(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32) (records []*kgo.Record, next int64, err error) {
	list, next, err := l.read(ctx, topic, partition, offset, maxBytes)
	records = make([]*kgo.Record, len(list))
	for i := range list {
		if records[i], err = list[i].record(nil); err != nil {
			return nil, 0, err
		}
	}
	return records, next, err
}

func (l *Log) read(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32) (records []raw, next int64, err error) {
	for try := 0; ; try++ {
		records, next, err = l.fetch(ctx, topic, partition, offset, maxBytes)
		if err == nil || try == 5 || !stale(err) {
			return records, next, err
		}
		l.forget(topic)
		select {
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// stale reports whether an error may come from a leader that has moved.
func stale(err error) bool {
	return kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err)
}

func (l *Log) fetch(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32) ([]raw, int64, error) {
	d, err := l.detail(ctx, topic)
	if err != nil {
		return nil, 0, err
	}
	p, ok := d.Partitions[partition]
	if !ok {
		return nil, 0, fmt.Errorf("%s has no partition %d", topic, partition)
	}
	req := kmsg.NewPtrFetchRequest()
	// The bound is the partition's, for there is no other: kfake forgets to list
	// aborted transactions where that of the request ends the answer.
	req.MinBytes, req.MaxBytes, req.IsolationLevel = 0, math.MaxInt32, 1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic, d.ID
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = partition, offset, maxBytes, -1
	t.Partitions = append(t.Partitions, rp)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, l.client.Broker(int(p.Leader)))
	if err != nil {
		return nil, 0, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, 0, err
	}
	if len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0 {
		return nil, offset, nil
	}
	fetched := &resp.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(fetched.ErrorCode); err != nil {
		return nil, 0, err
	}
	return records(topic, fetched, offset, l.unpack)
}

func (l *Log) detail(ctx context.Context, topic string) (kadm.TopicDetail, error) {
	l.mu.Lock()
	d, ok := l.topics[topic]
	l.mu.Unlock()
	if ok {
		return d, nil
	}
	all, err := l.admin.ListTopics(ctx, topic)
	if err != nil {
		return d, err
	}
	d = all[topic]
	if d.Err != nil {
		return d, d.Err
	}
	l.mu.Lock()
	l.topics[topic] = d
	l.mu.Unlock()
	return d, nil
}

func (l *Log) forget(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.topics, topic)
}

// Later returns, of those of these entries that have a record later than the
// version given, where the last one stands; by id.
func (l *Log) Later(ctx context.Context, topic string, versions map[string]int64) (map[string]int64, error) {
	spans, err := l.Spans(ctx, topic)
	if err != nil {
		return nil, err
	}
	at := spans[0].End
	for _, v := range versions {
		at = min(at, v+1)
	}
	later := make(map[string]int64)
	for at = max(at, spans[0].Start); at < spans[0].End; {
		list, next, err := l.read(ctx, topic, spans[0].Partition, at, readBytes)
		if err != nil {
			return nil, err
		}
		for i := range list {
			if v, ok := versions[string(list[i].key)]; ok && list[i].offset > v {
				later[string(list[i].key)] = list[i].offset
			}
		}
		if next <= at {
			break
		}
		at = next
	}
	return later, nil
}

// TopicID returns the topic's id in text; empty where the broker has none.
func (l *Log) TopicID(ctx context.Context, topic string) (string, error) {
	d, err := l.detail(ctx, topic)
	return envelope.TopicID(d.ID), err
}
