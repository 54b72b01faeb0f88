package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/topics"
)

// stranger is a program that is none of ours, in our group.
type stranger struct {
	client *kgo.Client
	ended  chan struct{}
}

// join has a stranger join the group of the sources and stay until it leaves.
// It returns once the stranger is a member.
func (d *drill) join(ctx context.Context, balancer kgo.GroupBalancer) (*stranger, error) {
	consumed := []string{topics.Replay(drillGroup)}
	for _, t := range topics.All() {
		consumed = append(consumed, string(t))
	}
	joined := make(chan struct{}, 1)
	client, err := kgo.NewClient(kgo.SeedBrokers(d.kafka.addr), kgo.ConsumerGroup(drillGroup), kgo.ConsumeTopics(consumed...), kgo.Balancers(balancer),
		kgo.DisableAutoCommit(), kgo.SessionTimeout(10*time.Second), kgo.RebalanceTimeout(10*time.Second), kgo.DisableClientMetrics(),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
			select {
			case joined <- struct{}{}:
			default:
			}
		}))
	if err != nil {
		return nil, err
	}
	s := &stranger{client: client, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		for !client.PollFetches(context.Background()).IsClientClosed() {
		}
	}()
	select {
	case <-joined:
		return s, nil
	case <-time.After(30 * time.Second):
		s.leave()
		return nil, fmt.Errorf("no stranger could join %s", drillGroup)
	case <-ctx.Done():
		s.leave()
		return nil, context.Cause(ctx)
	}
}

func (s *stranger) leave() {
	if s == nil {
		return
	}
	s.client.Close()
	<-s.ended
}

// unfair is a leader of the group that gives everything to one member, which is
// not itself.
type unfair struct {
	kgo.GroupBalancer
	favourite string
}

// MemberBalancer implements kgo.GroupBalancer.
func (u *unfair) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	b, err := kgo.NewConsumerBalancer(u, members)
	return b, b.MemberTopics(), err
}

// Balance implements kgo.ConsumerBalancerBalance. The first daemon that comes
// stays the favourite.
func (u *unfair) Balance(b *kgo.ConsumerBalancer, partitions map[string]int32) kgo.IntoSyncAssignment {
	plan := b.NewPlan()
	chosen, _ := b.MemberAt(0)
	b.EachMember(func(m *kmsg.JoinGroupResponseMember, _ *kmsg.ConsumerMemberMetadata) {
		if m.MemberID == u.favourite {
			chosen = m
		}
	})
	if chosen.MemberID != u.favourite {
		b.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
			if len(meta.OwnedPartitions) == 0 { // the stranger owns what there was
				chosen = m
			}
		})
		if len(b.Members()) > 1 {
			u.favourite = chosen.MemberID
		}
	}
	for topic, n := range partitions {
		for p := range n {
			plan.AddPartition(chosen, topic, p)
		}
	}
	return plan
}
