// Package brokers is the view of the brokers that the parts of the daemon share:
// the metadata of topics and where their logs begin and end. Whoever needs a
// fact says how old it may be; an answer that is younger is shared, an older
// one is subscribed to again, one request at a time. Start reading at View.
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
	// MetadataAge is how old the metadata of a topic may be where it is watched.
	MetadataAge = 5 * time.Second
	// LogsAge is how old the ends of logs may be where they are watched.
	LogsAge = 15 * time.Second
	// requestTimeout bounds one request.
	requestTimeout = 5 * time.Second
)

// View is what is known of the brokers. It may be used by several goroutines.
type View struct {
	client   *kgo.Client
	topics   []string // whose metadata is asked for together
	metadata *cache[kadm.TopicDetail]
	logs     *cache[Logs]
}

// Logs are those of a topic, by partition.
type Logs map[int32]*Log

// Log is where the log of a partition begins, up to where readers of committed
// transactions may read it, and where it ends. Epoch is of the first record.
type Log struct {
	Start, Stable, End int64
	Epoch              int32
	Err                error // why that is not known
}

// NewView returns a view through a client. The metadata of topics is asked for
// in one request, whichever of them is needed.
func NewView(client *kgo.Client, topics ...string) *View {
	return &View{client: client, topics: topics, metadata: newCache[kadm.TopicDetail](), logs: newCache[Logs]()}
}

// Topics returns the metadata of topics, which is younger than maxAge. What is
// wrong with one topic is its Err. An error is that no broker answers.
func (v *View) Topics(ctx context.Context, maxAge time.Duration, names ...string) (kadm.TopicDetails, error) {
	details, _, err := v.metadata.read(ctx, maxAge, names, func(ctx context.Context) (map[string]kadm.TopicDetail, error) {
		all := slices.Concat(v.topics, names)
		slices.Sort(all)
		return v.askTopics(ctx, slices.Compact(all))
	})
	return details, err
}

// Logs returns where the logs of topics begin and end, which is younger than
// maxAge, and when that was asked for; topics that have an error in Topics are left out. What is wrong with
// one partition is its Err. An error is that no broker answers.
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
		return v.askLogs(ctx, there, details)
	})
}

// askTopics asks for the metadata of topics. A topic that is forbidden leaves
// the others answered, other than in kadm.
func (v *View) askTopics(ctx context.Context, names []string) (map[string]kadm.TopicDetail, error) {
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
		return nil, fmt.Errorf("look up topics: %w", err)
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

// askLogs asks where logs begin and end. The ends are asked for before the
// stable offsets, so that what arrives between is not taken for a transaction.
func (v *View) askLogs(ctx context.Context, names []string, details kadm.TopicDetails) (map[string]Logs, error) {
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
			return nil, fmt.Errorf("look up where topics begin and end: %w", err)
		}
	}
	return all, nil
}

// errUnanswered is what a partition has until its leader answers.
var errUnanswered = fmt.Errorf("no broker answers for the partition: %w", kerr.LeaderNotAvailable)

// listOffsets asks the leader of each partition without an error for one
// offset. Its error is that none of them answers.
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
