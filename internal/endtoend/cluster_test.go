//go:build synctests

package endtoend

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/algotrade/notifier/internal/kafka"
)

// newCluster starts brokers in memory with all topics of the daemon. sources says
// how many partitions a source has, where that is not one; channels are the
// partitions of the outboxes. Nothing is compacted: the judge reads every version
// of a dead letter.
func newCluster(t *testing.T, net *kfake.VirtualNetwork, sources, channels map[string]int32, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	const year = "31536000000"
	fake, err := kfake.NewCluster(append(opts, kfake.ListenFn(net.Listen), kfake.BrokerConfigs(map[string]string{"log.cleaner.backoff.ms": year}))...)
	if err != nil {
		t.Fatal(err)
	}
	lay := kafka.Layout{Group: group}
	for name, n := range channels {
		lay.Channels = append(lay.Channels, kafka.Channel{Name: name, Partitions: int(n)})
	}
	for _, s := range lay.Shapes(1, nil) {
		n := s.Partitions
		if s.Role == kafka.RoleSource {
			n = max(1, sources[s.Topic])
		}
		if err := fake.CreateTopic(s.Topic, n, s.Configs); err != nil {
			t.Fatal(err)
		}
	}
	return fake
}

// topicConfigs returns what a topic that is created again is configured with.
func topicConfigs(topic string) map[string]string {
	lay := kafka.Layout{Group: group, Channels: []kafka.Channel{{Name: "calm"}, {Name: "rough"}, {Name: "hook"}}}
	for _, s := range lay.Shapes(1, nil) {
		if s.Topic == topic {
			return s.Configs
		}
	}
	return nil
}
