package dlq

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/unpack"
)

// Log reads committed records by their offsets, without a group and without
// committing. It is safe for concurrent use.
type Log struct {
	client *kgo.Client
	admin  *kadm.Client
	unpack kgo.Decompressor // the client's, without its limit for all batches
}

// NewLog returns a Log over any client of the cluster.
func NewLog(client *kgo.Client) *Log {
	decompressor, _ := client.OptValue(kgo.WithDecompressor).(kgo.Decompressor)
	switch d := decompressor.(type) {
	case nil:
		decompressor = kgo.DefaultDecompressor()
	case *unpack.Decompressor:
		decompressor = d.Unlimited()
	}
	return &Log{client: client, admin: kadm.NewClient(client), unpack: decompressor}
}

// Span is a part of a partition: the records with offsets in [Start, End).
// Offsets may be absent, where compaction removed their records.
type Span struct {
	Topic      string
	Partition  int32
	Start, End int64
}

// Spans returns what can be read of the topics now, without open transactions. A topic
// that does not exist is an error.
func (l *Log) Spans(ctx context.Context, names ...string) ([]Span, error) {
	starts, err := l.admin.ListStartOffsets(ctx, names...)
	if err != nil {
		return nil, err
	}
	ends, err := l.admin.ListCommittedOffsets(ctx, names...)
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

const (
	// readBytes is how many stored bytes one read fetches.
	readBytes = 1 << 20
	// readUnpacked is how many bytes one read unpacks: the rest is left to the next
	// read, since a fetch can unpack to a thousand times its size.
	readUnpacked = 16 << 20
)

// Read returns records from an offset on, in order: about maxBytes as they are stored
// and readUnpacked as they are unpacked, but at least one batch if there is one. next
// is the offset to continue from; it is offset if there are no more. With a *BatchError the
// records are those before that batch.
func (l *Log) Read(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32) (records []*kgo.Record, next int64, err error) {
	for try := 0; ; try++ {
		records, next, err = l.fetch(ctx, topic, partition, offset, maxBytes)
		if err == nil || try == 5 || !kerr.IsRetriable(err) && !kgo.IsRetryableBrokerErr(err) {
			return records, next, err
		}
		select { // its leader may have moved
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (l *Log) fetch(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32) ([]*kgo.Record, int64, error) {
	found, err := l.admin.ListTopics(ctx, topic) // the client caches it for a moment
	if err == nil {
		err = found[topic].Err
	}
	if err != nil {
		return nil, 0, err
	}
	d := found[topic]
	p, ok := d.Partitions[partition]
	if !ok {
		return nil, 0, fmt.Errorf("%s has no partition %d", topic, partition)
	}
	req := kmsg.NewPtrFetchRequest()
	// Only the partition's bound is set: kfake omits the aborted transactions if the
	// request's bound ends the response.
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
	return decode(topic, &resp.Topics[0].Partitions[0], offset, l.unpack)
}

// decode returns the records of a fetched partition from an offset on.
func decode(topic string, p *kmsg.FetchResponseTopicPartition, from int64, unpack kgo.Decompressor) ([]*kgo.Record, int64, error) {
	fetched, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: from, Topic: topic, Partition: p.Partition, IsolationLevel: kgo.ReadCommitted(),
	}, p, &bounded{unpack, readUnpacked}, nil)
	if errors.Is(fetched.Err, errUnpackedEnough) { // and no record was kept
		fetched.Err = nil
	}
	var large *kgo.ErrDecompressTooLarge
	if errors.As(fetched.Err, &large) {
		fetched.Err = &BatchError{Topic: topic, Partition: p.Partition, First: large.Offset, Last: large.NextOffset - 1}
	}
	return fetched.Records, next, fetched.Err
}

// BatchError is why a batch cannot be read: it takes more memory unpacked than
// kafka.window.bytes.
type BatchError struct {
	Topic       string
	Partition   int32
	First, Last int64 // its offsets
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("the batch with the offsets %d to %d of %s/%d is larger than kafka.window.bytes once it is unpacked", e.First, e.Last, e.Topic, e.Partition)
}

var errUnpackedEnough = errors.New("enough is unpacked")

// bounded is a decompressor for one read. The first batch always passes.
type bounded struct {
	kgo.Decompressor
	left int
}

// Decompress implements kgo.Decompressor.
func (b *bounded) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if b.left <= 0 {
		return nil, errUnpackedEnough
	}
	out, err := b.Decompressor.Decompress(src, codec)
	b.left -= len(out)
	return out, err
}

// Scan calls f with the records of a span, in order, until f returns false.
func (l *Log) Scan(ctx context.Context, s Span, f func(*kgo.Record) bool) error {
	for at := s.Start; at < s.End; {
		records, next, err := l.Read(ctx, s.Topic, s.Partition, at, readBytes)
		if err != nil {
			return err
		}
		for _, r := range records {
			if r.Offset >= s.End || !f(r) {
				return nil
			}
		}
		if next <= at { // the rest was compacted away
			return nil
		}
		at = next
	}
	return nil
}

// LastOffsets returns below which offset the versions of each of these keys do
// not count any longer in a topic of one partition, of those that have a record
// at or behind an offset.
func (l *Log) LastOffsets(ctx context.Context, topic string, from int64, keys []string) (map[string]int64, error) {
	spans, err := l.Spans(ctx, topic)
	if err != nil {
		return nil, err
	}
	spans[0].Start = max(from, spans[0].Start)
	wanted := make(map[string]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
	}
	last := make(map[string]int64)
	err = l.Scan(ctx, spans[0], func(r *kgo.Record) bool {
		if wanted[string(r.Key)] {
			last[string(r.Key)] = max(last[string(r.Key)], below(r))
		}
		return true
	})
	return last, err
}
