//go:build real || synctests

package consume_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
)

// seen is a handler that settles every record and counts them by topic.
type seen struct {
	mu     sync.Mutex
	values map[string]int
}

// Handle implements consume.Handler.
func (s *seen) Handle(ctx context.Context, p *consume.Partition) {
	for {
		records, err := p.Next(ctx)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.values[p.Topic] += len(records)
		s.mu.Unlock()
		p.Advance(records[len(records)-1], len(records))
	}
}

func (s *seen) of(topic string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[topic]
}

// onBroker runs a test on the real broker of testkafka.Env, else on kfake and a
// fake clock.
func onBroker(t *testing.T, test func(t *testing.T, c *testkafka.Cluster)) {
	if os.Getenv(testkafka.Env) != "" {
		test(t, testkafka.Bare(t))
		return
	}
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		keepAssignments(c.Fake())
		test(t, c)
	})
}

// keepAssignments has kfake give a static member that rejoins its former assignment
// without a rebalance, as Kafka does. kfake on its own rebalances when the member's
// subscription differs.
func keepAssignments(c *kfake.Cluster) {
	last := make(map[string][]kmsg.JoinGroupRequestProtocol)
	c.ControlKey(kmsg.JoinGroup.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		join := r.(*kmsg.JoinGroupRequest)
		if id := join.Group + *join.InstanceID; join.MemberID == "" && last[id] != nil {
			join.Protocols = last[id]
		} else {
			last[id] = join.Protocols
		}
		return nil, nil, false
	})
}

// static runs a static member, which keeps its membership when it stops.
func static(t *testing.T, c *testkafka.Cluster, id string, topics ...string) (*running, *seen, *health.Conditions) {
	h := &seen{values: make(map[string]int)}
	var conditions *health.Conditions
	r := run(t, c, h, func(p *consume.Params) {
		conditions = health.New(p.Logger, p.Registry)
		p.Topics, p.InstanceID, p.Conditions, p.SessionTimeout = topics, id, conditions, 45*time.Second
	})
	return r, h, conditions
}

// owned returns how many partitions of a topic the members of the stable group are
// assigned; -1: it is not stable.
func owned(c *testkafka.Cluster, topic string) int {
	groups, err := c.Admin.DescribeGroups(context.Background(), c.Group)
	if err != nil || groups[c.Group].State != "Stable" {
		return -1
	}
	return len(groups.AssignedPartitions()[topic])
}

func TestRestartedStaticMembersFollowTheirSubscription(t *testing.T) {
	for _, change := range []struct {
		name         string
		before, with []string
	}{
		{"added", []string{"kept"}, []string{"kept", "added"}},
		{"replaced", []string{"kept", "removed"}, []string{"kept", "added"}},
	} {
		for members := range 2 {
			t.Run(fmt.Sprintf("%s, %d", change.name, members+1), func(t *testing.T) {
				onBroker(t, func(t *testing.T, c *testkafka.Cluster) { restartStatic(t, c, members+1, change.before, change.with) })
			})
		}
	}
}

// restartStatic restarts static members one by one with another subscription, within
// their session timeout.
func restartStatic(t *testing.T, c *testkafka.Cluster, members int, before, with []string) {
	const partitions, within = 2, 30 * time.Second
	full := func(names []string) (topics []string) {
		for _, name := range names {
			topics = append(topics, c.Group+"."+name)
		}
		return topics
	}
	before, with = full(before), full(with)
	all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(before, with))))
	for _, topic := range all {
		c.Make(kafka.Shape{Topic: topic, Partitions: partitions, Replication: 1})
	}
	assigned := func(topics []string) func() bool {
		return func() bool {
			return !slices.ContainsFunc(all, func(topic string) bool {
				n := owned(c, topic)
				return n < 0 || slices.Contains(topics, topic) && n != partitions || !slices.Contains(topics, topic) && n != 0
			})
		}
	}
	former := make([]*running, members)
	for i := range former {
		former[i], _, _ = static(t, c, fmt.Sprintf("member-%d", i), before...)
		testkafka.Eventually(t, within, "the member is assigned its share", func() bool {
			return assigned(before)() && former[i].Status().Partitions == len(before)*partitions/(i+1)
		})
	}
	handlers, conditions := make([]*seen, members), make([]*health.Conditions, members)
	for i := range slices.Backward(former) { // the leader last
		if err := former[i].stop(); err != nil {
			t.Fatal(err)
		}
		_, handlers[i], conditions[i] = static(t, c, fmt.Sprintf("member-%d", i), with...)
		testkafka.Eventually(t, within, "the member's subscription is assigned", func() bool {
			return !slices.ContainsFunc(with, func(topic string) bool { return owned(c, topic) != partitions })
		})
	}
	testkafka.Eventually(t, within, "what is subscribed is assigned, and nothing else", assigned(with))
	for _, topic := range all {
		c.Produce(&kgo.Record{Topic: topic, Value: []byte("x")})
	}
	read := func(topic string) (n int) {
		for _, h := range handlers {
			n += h.of(topic)
		}
		return n
	}
	testkafka.Eventually(t, within, "what is subscribed is read", func() bool {
		return !slices.ContainsFunc(with, func(topic string) bool { return read(topic) != 1 })
	})
	for _, topic := range all {
		if n := read(topic); n != 0 && !slices.Contains(with, topic) {
			t.Errorf("%d records of %s were handled", n, topic)
		}
	}
	testkafka.Eventually(t, within, "the condition is cleared", func() bool {
		return !slices.ContainsFunc(conditions, func(c *health.Conditions) bool { return c.Text(health.Assignment) != "" })
	})
}
