//go:build real || synctests

package consume_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
)

// bundled is one topic per letter of names, of three partitions each.
func bundled(c *testkafka.Cluster, names string) (topics []string) {
	for _, name := range names {
		topic := fmt.Sprintf("%s.bundled-%c", c.Group, name)
		c.Make(kafka.Shape{Topic: topic, Partitions: 3, Replication: 1})
		topics = append(topics, topic)
	}
	return topics
}

// holders returns how many members of the stable group own partitions of each topic,
// and how many of its partitions are owned; nil: it is not stable.
func holders(c *testkafka.Cluster) map[string][2]int {
	groups, err := c.Admin.DescribeGroups(context.Background(), c.Group)
	if err != nil || groups[c.Group].State != "Stable" {
		return nil
	}
	found := make(map[string][2]int)
	for _, m := range groups[c.Group].Members {
		if a, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range a.Topics {
				n := found[t.Topic]
				found[t.Topic] = [2]int{n[0] + min(1, len(t.Partitions)), n[1] + len(t.Partitions)}
			}
		}
	}
	return found
}

func whole(c *testkafka.Cluster, topics []string) bool {
	found := holders(c)
	for _, topic := range topics {
		if found[topic] != [2]int{1, 3} {
			return false
		}
	}
	return true
}

// knowing has a member know the bundles.
func knowing(p *consume.Params) {
	p.Bundled = func(topic string) bool { return strings.Contains(topic, ".bundled-") }
}

func TestBundlesStayWholeAsMembersComeAndGo(t *testing.T) {
	onBroker(t, func(t *testing.T, c *testkafka.Cluster) {
		topics := bundled(c, "abcd")
		var members []*running
		share := func(n int) func() bool {
			return func() bool {
				for _, m := range members[len(members)-n:] {
					if got := m.Status().Partitions; got < 3*(len(topics)/n) || got%3 != 0 {
						return false
					}
				}
				return whole(c, topics)
			}
		}
		join := func() {
			members = append(members, run(t, c, &seen{values: make(map[string]int)}, func(p *consume.Params) {
				p.Topics, p.InstanceID = topics, fmt.Sprint("member-", len(members))
				knowing(p)
			}))
		}
		for n := range 3 {
			join()
			testkafka.Eventually(t, 30*time.Second, "each member has its share", share(n+1))
		}
		// A static member is missed once its session times out.
		if err := members[0].stop(); err != nil {
			t.Fatal(err)
		}
		testkafka.Eventually(t, time.Minute, "two members have all", share(2))
	})
}

// Brokers give a static member its former assignment back, which members of an older
// version have planned. Before Kafka 3.2 they do not tell even the leader to compare.
func TestRestartedStaticMembersReuniteBundles(t *testing.T) {
	onBroker(t, reunite)
}

func TestStaticMembersReuniteBundlesOnOlderBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil, kfake.MaxVersions(kversion.V3_1_0()))
		keepAssignments(c.Fake())
		reunite(t, c)
	})
}

func reunite(t *testing.T, c *testkafka.Cluster) {
	topics := bundled(c, "ab")
	start := func(i int, change func(*consume.Params)) *running {
		return run(t, c, &seen{values: make(map[string]int)}, func(p *consume.Params) {
			p.Topics, p.InstanceID, p.SessionTimeout = topics, fmt.Sprint("member-", i), 45*time.Second
			change(p)
		})
	}
	former := []*running{start(0, func(*consume.Params) {}), start(1, func(*consume.Params) {})}
	testkafka.Eventually(t, 30*time.Second, "the older version splits the topics", func() bool {
		return former[0].Status().Partitions == 3 && former[1].Status().Partitions == 3 && !whole(c, topics)
	})
	for i, m := range former {
		if err := m.stop(); err != nil {
			t.Fatal(err)
		}
		start(i, knowing)
	}
	testkafka.Eventually(t, time.Minute, "one member owns each topic", func() bool { return whole(c, topics) })
}
