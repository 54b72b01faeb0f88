package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ClockTolerance is how far clocks may be apart without being worth a word:
// ages of events and alerts are reckoned in seconds.
const ClockTolerance = 5 * time.Second

// ClockOffset returns how far this machine's clock is ahead of the brokers',
// exact to about the time of one request. No request asks for a broker's time,
// but the leader of the metadata quorum gives it for itself, as the time at
// which it was last up to date (KIP-836). It needs DESCRIBE on the cluster; an
// error says that the offset is not known, which is no fault.
func ClockOffset(ctx context.Context, cl *kgo.Client) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	partition := kmsg.NewDescribeQuorumRequestTopicPartition()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic, topic.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{partition}
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Topics = []kmsg.DescribeQuorumRequestTopic{topic}
	asked := time.Now()
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, fmt.Errorf("ask the metadata quorum: %w", err)
	}
	half := time.Since(asked) / 2
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return 0, fmt.Errorf("ask the metadata quorum: %w", err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			for _, voter := range p.CurrentVoters {
				if voter.ReplicaID == p.LeaderID && voter.LastCaughtUpTimestamp > 0 {
					return asked.Add(half).Sub(time.UnixMilli(voter.LastCaughtUpTimestamp)), nil
				}
			}
		}
	}
	return 0, errors.New("the metadata quorum does not say its time")
}

// ClockText says what a clock that is off by so much means; empty where that is
// within ClockTolerance.
func ClockText(ahead time.Duration) string {
	switch {
	case ahead > ClockTolerance:
		return fmt.Sprintf("this machine's clock is %s ahead of the brokers': ages of events are too high by that, and alerts expire too early", ahead.Round(time.Second/10))
	case ahead < -ClockTolerance:
		return fmt.Sprintf("this machine's clock is %s behind the brokers': ages of events are too low by that, and certificates may not be valid yet", (-ahead).Round(time.Second/10))
	}
	return ""
}
