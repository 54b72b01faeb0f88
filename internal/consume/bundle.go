package consume

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// bundling is kgo's cooperative-sticky balancing for a group in which one member
// has to own all partitions of some topics. It plans a bundled topic as if partition 0
// were its only one, and gives the other partitions to the owner of partition 0. A
// partition that another member still owns is assigned once that member has revoked
// it, as cooperative balancing requires.
//
// It keeps the name and the metadata of the protocol, so that it works in one group
// with members that do not know bundles. While one of these leads the group, bundles
// may be split.
type bundling struct {
	kgo.GroupBalancer
	bundled func(topic string) bool
}

func newBundling(bundled func(topic string) bool) kgo.GroupBalancer {
	return bundling{kgo.CooperativeStickyBalancer(), bundled}
}

// MemberBalancer implements kgo.GroupBalancer.
func (b bundling) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	all, err := kgo.NewConsumerBalancer(b, members)
	return all, all.MemberTopics(), err
}

// Balance implements kgo.ConsumerBalancerBalance. partitions is how many each topic has.
func (b bundling) Balance(members *kgo.ConsumerBalancer, partitions map[string]int32) kgo.IntoSyncAssignment {
	planned := make(map[string]int32, len(partitions))
	for topic, n := range partitions {
		if b.bundled(topic) {
			n = min(n, 1)
		}
		planned[topic] = n
	}
	plan, err := target(members.Members(), planned)
	if err != nil {
		members.SetError(err)
		return nil
	}
	for _, topics := range plan.AsMemberIDMap() {
		for topic, owned := range topics {
			if !b.bundled(topic) || !slices.Contains(owned, 0) {
				continue
			}
			for id := int32(1); id < partitions[topic]; id++ {
				topics[topic] = append(topics[topic], id)
			}
		}
	}
	plan.AdjustCooperative(members)
	return plan
}

// target returns where the partitions are to be in the end. It is the plan of the
// eager balancer, which reads the same metadata: the cooperative one leaves out what
// has to be revoked first.
func target(members []kmsg.JoinGroupResponseMember, partitions map[string]int32) (*kgo.BalancePlan, error) {
	planner, _, err := kgo.StickyBalancer().MemberBalancer(members)
	if err != nil {
		return nil, err
	}
	plan, err := planner.(kgo.GroupMemberBalancerOrError).BalanceOrError(partitions)
	if err != nil {
		return nil, err
	}
	return plan.(*kgo.BalancePlan), nil
}

// split returns the bundled topics of which a member is assigned some partitions and
// another one others. owners are the members by topic.
func (m *Member) split(owners map[string]int) (topics []string) {
	for topic, n := range owners {
		if n > 1 && m.p.Bundled != nil && m.p.Bundled(topic) {
			topics = append(topics, topic)
		}
	}
	slices.Sort(topics)
	return topics
}
