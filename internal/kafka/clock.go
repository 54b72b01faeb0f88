package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ClockTolerance is the clock offset that is not reported.
const ClockTolerance = 5 * time.Second

// ClockOffset returns how far this host's clock is ahead of the brokers', exact
// to about the duration of a request. The brokers' time is the
// LastCaughtUpTimestamp that the leader of the metadata quorum reports for
// itself (KIP-836), which requires DESCRIBE on the cluster. An error means that
// the offset is unknown.
func ClockOffset(ctx context.Context, cl *kgo.Client) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	partition := kmsg.NewDescribeQuorumRequestTopicPartition()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic, topic.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{partition}
	req := kmsg.NewPtrDescribeQuorumRequest()
	req.Topics = []kmsg.DescribeQuorumRequestTopic{topic}
	start := time.Now()
	resp, err := req.RequestWith(ctx, cl)
	if err != nil && strings.Contains(err.Error(), "broker is too old") { // kgo's, unexported
		return 0, errors.New("they describe no metadata quorum (Kafka 3.3 and newer with KRaft do)")
	}
	if err != nil {
		return 0, fmt.Errorf("describe the metadata quorum: %w", err)
	}
	half := time.Since(start) / 2
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return 0, fmt.Errorf("describe the metadata quorum: %w", err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			for _, voter := range p.CurrentVoters {
				if voter.ReplicaID == p.LeaderID && voter.LastCaughtUpTimestamp > 0 {
					return start.Add(half).Sub(time.UnixMilli(voter.LastCaughtUpTimestamp)), nil
				}
			}
		}
	}
	return 0, errors.New("the metadata quorum reports no time")
}

// ClockText describes the effect of a clock offset; empty within ClockTolerance.
func ClockText(ahead time.Duration) string {
	switch {
	case ahead > ClockTolerance:
		return fmt.Sprintf("this host's clock is %s ahead of the brokers': ages of events are too high, and alerts expire too early", ahead.Round(time.Second/10))
	case ahead < -ClockTolerance:
		return fmt.Sprintf("this host's clock is %s behind the brokers': ages of events are too low, and certificates may not be valid yet", (-ahead).Round(time.Second/10))
	}
	return ""
}
