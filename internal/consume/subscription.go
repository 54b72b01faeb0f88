package consume

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/health/brokers"
)

// subscription compares what a static member is assigned with what it subscribes
// to. Brokers give a static member that rejoins within its session timeout its
// former assignment without a rebalance, whatever it subscribes to now (KIP-345).
// From Kafka 3.2 on, the client notices a difference if it leads the group
// (KIP-814); other members do not.
type subscription struct {
	unchecked atomic.Bool // an assignment has begun since the last comparison that found no difference
	missing   []string    // what the last comparison found; watch's alone
	rejoined  time.Time   // when the member last rejoined for it; watch's alone
}

// rejoinEvery is how often a member rejoins at most whose assignment still differs.
const rejoinEvery = 30 * time.Second

// subscribed returns the assignments of topics that the member subscribes to. The
// others have no handler: they are neither read nor committed.
func (m *Member) subscribed(assigned map[string][]int32) map[string][]int32 {
	of := maps.Clone(assigned)
	maps.DeleteFunc(of, func(topic string, _ []int32) bool { return !slices.Contains(m.p.Topics, topic) })
	return of
}

// checkSubscription rejoins the group, which rebalances it, when the assignment
// does not match the subscription. What is missing must be so twice in a row,
// since a partition that changes its owner has none between two rebalances.
func (m *Member) checkSubscription(ctx context.Context) {
	s := &m.subscription
	if m.p.InstanceID == "" || !s.unchecked.Swap(false) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, watchInterval)
	defer cancel()
	missing, foreign, split, err := m.compareAssignment(ctx)
	switch {
	case err != nil:
		s.unchecked.Store(true)
	case len(missing)+len(foreign)+len(split) == 0:
		s.missing = nil
		m.conditions.Clear(health.Assignment, m.p.Group)
	default:
		s.unchecked.Store(true)
		again := slices.Equal(missing, s.missing)
		s.missing = missing
		if len(foreign)+len(split) > 0 || again {
			m.rejoin(missing, foreign, split)
		}
	}
}

// errRebalancing is returned by compareAssignment while nobody knows the assignment.
var errRebalancing = errors.New("the group is not stable")

// compareAssignment returns the subscribed topics with partitions that no member of
// the group is assigned, the topics that this member is assigned without a
// subscription, and the bundled topics that several members are assigned.
func (m *Member) compareAssignment(ctx context.Context) (missing, foreign, split []string, err error) {
	groups, err := m.admin.DescribeGroups(ctx, m.p.Group)
	if err == nil {
		err = groups[m.p.Group].Err
	}
	if err != nil {
		return nil, nil, nil, err
	}
	if groups[m.p.Group].State != "Stable" {
		return nil, nil, nil, errRebalancing
	}
	details, err := m.view.Topics(ctx, brokers.MetadataAge, m.p.Topics...)
	if err != nil {
		return nil, nil, nil, err
	}
	all, owners := make(kadm.TopicsSet), make(map[string]int)
	for _, member := range groups[m.p.Group].Members {
		assigned, ok := member.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range assigned.Topics {
			all.Add(t.Topic, t.Partitions...)
			owners[t.Topic] += min(1, len(t.Partitions))
			own := member.InstanceID != nil && *member.InstanceID == m.p.InstanceID
			if own && len(t.Partitions) > 0 && !slices.Contains(m.p.Topics, t.Topic) {
				foreign = append(foreign, t.Topic)
			}
		}
	}
	for _, topic := range m.p.Topics {
		if d := details[topic]; d.Err == nil && len(all[topic]) < len(d.Partitions) {
			missing = append(missing, topic)
		}
	}
	return missing, foreign, m.split(owners), nil
}

// rejoin shows the difference and rejoins.
func (m *Member) rejoin(missing, foreign, split []string) {
	var what []string
	if len(missing) > 0 {
		what = append(what, fmt.Sprintf("no member is assigned [%s], which are not read", strings.Join(missing, ", ")))
	}
	if len(foreign) > 0 {
		what = append(what, fmt.Sprintf("this member is assigned [%s], which it does not subscribe to", strings.Join(foreign, ", ")))
	}
	if len(split) > 0 {
		what = append(what, fmt.Sprintf("several members are assigned partitions of [%s], which one member has to own", strings.Join(split, ", ")))
	}
	m.conditions.Set(health.Condition{
		Type: health.Assignment, Subject: m.p.Group, Attrs: []any{"group", m.p.Group},
		Message: fmt.Sprintf("the assignment of group %s is that of a former configuration: %s. This process rejoins the group, which rebalances it. "+
			"If it lasts, stop all notifiers of this group for kafka.session_timeout (%s)", m.p.Group, strings.Join(what, "; "), m.p.SessionTimeout),
	})
	if time.Since(m.subscription.rejoined) < rejoinEvery {
		return
	}
	m.subscription.rejoined = time.Now()
	m.client.ForceRebalance()
}
