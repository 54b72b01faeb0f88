package lag

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
)

// Partitions is the lag of a topic by partition.
type Partitions struct {
	TopicID string // in text; empty where the broker has no ids
	Parts   map[int32]Part
	Err     error // why it is unknown
}

// Part is the lag of one partition.
type Part struct {
	Start, End int64 // of the log
	First      int64 // the first unsettled offset
	Waiting    int64
	commit     offsets.Commit
}

// Committed returns the committed offset; negative: none.
func (p Part) Committed() int64 { return p.commit.Offset }

// ByHand reports whether the offset was set with another tool.
func (p Part) ByHand() bool { return p.commit.Offset >= 0 && p.commit.Metadata == "" }

// Below returns how many records wait below an offset of each partition of the topic with
// this id; none if it was deleted or recreated. False: unknown.
func (p Partitions) Below(topicID string, offsets map[int32]int64) (n int64, known bool) {
	gone := errors.Is(p.Err, kerr.UnknownTopicOrPartition) || p.Err == nil && p.TopicID != topicID
	if gone || p.Err != nil {
		return 0, gone
	}
	for id, offset := range offsets {
		part := p.Parts[id]
		_, waiting := part.commit.Unsettled(part.Start, min(offset, part.End))
		n += waiting
	}
	return n, true
}

// Total returns the lag of all partitions.
func (p Partitions) Total() (n int64) {
	for _, part := range p.Parts {
		n += part.Waiting
	}
	return n
}

// Waiting returns the lag of a group in topics, up to the last stable offset. It makes four
// requests, two of them to each broker.
func Waiting(ctx context.Context, adm *kadm.Client, group, cluster string, topics ...string) (map[string]Partitions, error) {
	committed, err := adm.FetchOffsets(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("read the offsets of group %s: %w", group, err)
	}
	details, err := adm.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	all := make(map[string]Partitions, len(topics))
	var there []string
	for _, topic := range topics {
		d := details[topic]
		all[topic] = Partitions{TopicID: envelope.TopicID(d.ID), Parts: make(map[int32]Part), Err: d.Err}
		if d.Err == nil {
			there = append(there, topic)
		}
	}
	if len(there) == 0 {
		return all, nil
	}
	starts, err := adm.ListStartOffsets(ctx, there...)
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, there...)
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		topic := all[end.Topic]
		start, _ := starts.Lookup(end.Topic, end.Partition)
		c := offsets.Commit{Cluster: cluster, TopicID: topic.TopicID, Offset: -1}
		o, known := committed.Lookup(end.Topic, end.Partition)
		if known {
			c.Offset, c.Metadata = o.At, o.Metadata
		}
		if err := errors.Join(start.Err, end.Err, o.Err); err != nil {
			topic.Err = fmt.Errorf("partition %d: %w", end.Partition, err)
			all[end.Topic] = topic
			return
		}
		topic.Parts[end.Partition] = partOf(c, start.Offset, end.Offset)
	})
	return all, nil
}

// partOf returns the lag in a partition whose log is [start, end).
func partOf(c offsets.Commit, start, end int64) Part {
	p := Part{Start: start, End: end, commit: c}
	p.First, p.Waiting = c.Unsettled(start, end)
	return p
}
