// Package brokers caches topic metadata and log offsets for all parts of the daemon. The
// caller states the maximum age; requests are made one at a time. Start reading at View.
package brokers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// MetadataAge is the maximum age of watched metadata.
	MetadataAge = 5 * time.Second
	// LogsAge is the maximum age of watched log offsets.
	LogsAge = 15 * time.Second
	// requestTimeout bounds one request.
	requestTimeout = 5 * time.Second
)

// View is a cached view of the brokers. It is safe for concurrent use.
type View struct {
	client   *kgo.Client
	topics   []string // whose metadata is requested together
	metadata *cache[kadm.TopicDetail]
	logs     *cache[Logs]
}

// Logs are the logs of a topic by partition.
type Logs map[int32]*Log

// Log has the offsets of a partition: log start, last stable offset and high watermark.
// Epoch is the leader epoch of the first record.
type Log struct {
	Start, Stable, End int64
	Epoch              int32
	Err                error // why the offsets are unknown
}

// NewView returns a view through a client. The metadata of topics is requested together.
func NewView(client *kgo.Client, topics ...string) *View {
	return &View{client: client, topics: topics, metadata: newCache[kadm.TopicDetail](), logs: newCache[Logs]()}
}

// Topics returns the metadata of topics, younger than maxAge. A topic's error is in its
// Err. The error means that no broker responds.
func (v *View) Topics(ctx context.Context, maxAge time.Duration, names ...string) (kadm.TopicDetails, error) {
	details, _, err := v.metadata.read(ctx, maxAge, names, func(ctx context.Context) (map[string]kadm.TopicDetail, error) {
		all := slices.Concat(v.topics, names)
		slices.Sort(all)
		return v.requestTopics(ctx, slices.Compact(all))
	})
	return details, err
}

// Logs returns the log offsets of topics, younger than maxAge, and when they were
// requested. It omits topics with an error in Topics. A partition's error is in its Err.
// The error means that no broker responds.
func (v *View) Logs(ctx context.Context, maxAge time.Duration, names ...string) (map[string]Logs, time.Time, error) {
	details, err := v.Topics(ctx, maxAge, names...)
	if err != nil {
		return nil, time.Time{}, err
	}
	there := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return details[name].Err != nil })
	if len(there) == 0 {
		return nil, time.Time{}, nil
	}
	return v.logs.read(ctx, maxAge, there, func(ctx context.Context) (map[string]Logs, error) {
		return v.requestLogs(ctx, there, details)
	})
}

// requestTopics requests the metadata of topics. In contrast to kadm, one topic without
// permission does not fail the others.
func (v *View) requestTopics(ctx context.Context, names []string) (map[string]kadm.TopicDetail, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, v.client)
	if err != nil {
		return nil, fmt.Errorf("request metadata: %w", err)
	}
	all := make(map[string]kadm.TopicDetail, len(names))
	for _, name := range names {
		all[name] = kadm.TopicDetail{Topic: name, Err: kerr.UnknownTopicOrPartition}
	}
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		d := kadm.TopicDetail{
			Topic: *t.Topic, ID: t.TopicID, Partitions: make(kadm.PartitionDetails), Err: kerr.ErrorForCode(t.ErrorCode),
			AuthorizedOperations: kadm.DecodeACLOperations(t.AuthorizedOperations),
		}
		for _, p := range t.Partitions {
			d.Partitions[p.Partition] = kadm.PartitionDetail{Topic: d.Topic, Partition: p.Partition, Leader: p.Leader}
		}
		all[d.Topic] = d
	}
	return all, nil
}

// requestLogs requests log offsets: the ends before the stable offsets, so that records
// that arrive in between do not look like an open transaction.
func (v *View) requestLogs(ctx context.Context, names []string, details kadm.TopicDetails) (map[string]Logs, error) {
	all := make(map[string]Logs, len(names))
	for _, name := range names {
		all[name] = make(Logs, len(details[name].Partitions))
		for id, p := range details[name].Partitions {
			l := &Log{}
			if p.Leader < 0 {
				l.Err = errors.New("the partition has no leader")
			}
			all[name][id] = l
		}
	}
	const start, end, committed = -2, -1, 1
	for _, list := range []struct {
		timestamp int64
		isolation int8
		take      func(*Log, kmsg.ListOffsetsResponseTopicPartition)
	}{
		{start, 0, func(l *Log, p kmsg.ListOffsetsResponseTopicPartition) { l.Start, l.Epoch = p.Offset, p.LeaderEpoch }},
		{end, 0, func(l *Log, p kmsg.ListOffsetsResponseTopicPartition) { l.End = p.Offset }},
		{end, committed, func(l *Log, p kmsg.ListOffsetsResponseTopicPartition) { l.Stable = p.Offset }},
	} {
		if err := v.listOffsets(ctx, list.timestamp, list.isolation, all, list.take); err != nil {
			return nil, fmt.Errorf("list offsets: %w", err)
		}
	}
	return all, nil
}

// errUnanswered is the error of a partition until its leader responds.
var errUnanswered = fmt.Errorf("the leader of the partition does not respond: %w", kerr.LeaderNotAvailable)

// listOffsets requests one offset from the leader of each partition without an error.
// The error means that none responds.
func (v *View) listOffsets(ctx context.Context, timestamp int64, isolation int8, all map[string]Logs, take func(*Log, kmsg.ListOffsetsResponseTopicPartition)) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel, req.TimeoutMillis = isolation, int32(requestTimeout.Milliseconds())
	for topic, logs := range all {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for id, l := range logs {
			if l.Err == nil {
				l.Err = errUnanswered
				p := kmsg.NewListOffsetsRequestTopicPartition()
				p.Partition, p.Timestamp = id, timestamp
				t.Partitions = append(t.Partitions, p)
			}
		}
		if len(t.Partitions) > 0 {
			req.Topics = append(req.Topics, t)
		}
	}
	if len(req.Topics) == 0 {
		return nil
	}
	var failed error
	answered := false
	for _, shard := range v.client.RequestSharded(ctx, req) {
		resp, ok := shard.Resp.(*kmsg.ListOffsetsResponse)
		if shard.Err != nil || !ok {
			failed = errors.Join(failed, shard.Err)
			continue
		}
		answered = true
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if l := all[t.Topic][p.Partition]; l != nil {
					l.Err = kerr.ErrorForCode(p.ErrorCode)
					take(l, p)
				}
			}
		}
	}
	if answered {
		return nil
	}
	return failed
}
