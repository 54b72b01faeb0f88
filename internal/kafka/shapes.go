package kafka

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/topics"
)

// Shape is how a topic should look.
type Shape struct {
	Topic       string
	Role        Role
	Partitions  int32
	Replication int16
	Configs     map[string]string // as Kafka names them; what is absent is the cluster's own
}

// Layout is what shapes follow from.
type Layout struct {
	Group    string
	Channels []Channel
	// Partitions of the sources and Replication of all topics; 0: 6, and 3 or
	// as many as there are brokers.
	Partitions  int32
	Replication int16
}

// Channel is a channel's outbox.
type Channel struct {
	Name       string
	Partitions int
}

const (
	sourcePartitions = 6
	// headroom is what an envelope adds to its source at most, beside what a
	// record's own overhead is.
	headroom = 64 << 10
	// DefaultMaxMessage is max.message.bytes of a topic that does not say.
	DefaultMaxMessage = 1048588
	// MaxEnvelope is how large a batch commands write that do not know what a
	// topic takes: the broker has the last word.
	MaxEnvelope = 64 << 20
)

// Shapes returns the sources and our own topics as they should be. sizes are
// the sources' max.message.bytes; one that is absent has the default.
func (l Layout) Shapes(brokers int, sizes map[string]int) []Shape {
	replication := l.Replication
	if replication == 0 {
		replication = int16(min(3, max(brokers, 1)))
	}
	partitions := l.Partitions
	if partitions == 0 {
		partitions = sourcePartitions
	}
	size := func(source string) int {
		if n := sizes[source]; n > 0 {
			return n
		}
		return DefaultMaxMessage
	}
	durable := func(configs map[string]string) map[string]string {
		if replication >= 3 {
			configs["min.insync.replicas"] = "2"
		}
		return configs
	}
	var shapes []Shape
	largest := 0
	for _, name := range topics.All() {
		largest = max(largest, size(string(name)))
		shapes = append(shapes, Shape{
			Topic: string(name), Role: RoleSource, Partitions: partitions, Replication: replication, Configs: durable(map[string]string{}),
		})
	}
	for _, name := range topics.All() {
		shapes = append(shapes, Shape{
			Topic: topics.DeadLetter(l.Group, name), Role: RoleDeadLetter, Partitions: 1, Replication: replication,
			Configs: durable(map[string]string{
				"cleanup.policy": "compact", "segment.ms": ms(time.Hour), "max.compaction.lag.ms": ms(24 * time.Hour),
				"min.cleanable.dirty.ratio": "0.1", "delete.retention.ms": ms(7 * 24 * time.Hour),
				"max.message.bytes": strconv.Itoa(size(string(name)) + headroom),
			}),
		})
	}
	shapes = append(shapes, Shape{
		Topic: topics.Replay(l.Group), Role: RoleReplay, Partitions: 1, Replication: replication,
		Configs: durable(map[string]string{
			"cleanup.policy": "delete", "retention.ms": ms(30 * 24 * time.Hour),
			"max.message.bytes": strconv.Itoa(largest + headroom),
		}),
	})
	for _, c := range l.Channels {
		shapes = append(shapes, Shape{
			Topic: topics.Outbox(l.Group, c.Name), Role: RoleOutbox, Partitions: int32(c.Partitions), Replication: replication,
			Configs: durable(map[string]string{
				"cleanup.policy": "delete", "retention.ms": ms(30 * 24 * time.Hour),
				"max.message.bytes": strconv.Itoa(largest + headroom),
			}),
		})
	}
	return shapes
}

func ms(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Want looks at the cluster and returns the shapes that fit it.
func Want(ctx context.Context, adm *kadm.Client, l Layout) ([]Shape, error) {
	md, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the brokers: %w", err)
	}
	sizes := make(map[string]int)
	for _, name := range topics.All() {
		if configs, err := topicConfigs(ctx, adm, string(name)); err == nil {
			sizes[string(name)], _ = strconv.Atoi(configs["max.message.bytes"])
		}
	}
	return l.Shapes(len(md.Brokers), sizes), nil
}

// MaxMessage returns how large a batch a topic takes, or the default where that
// cannot be read.
func MaxMessage(ctx context.Context, adm *kadm.Client, topic string) int32 {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	configs, err := topicConfigs(ctx, adm, topic)
	if n, parseErr := strconv.ParseInt(configs["max.message.bytes"], 10, 32); err == nil && parseErr == nil && n > 0 {
		return int32(n)
	}
	return DefaultMaxMessage
}

// topicConfigs returns a topic's configuration as it is in force.
func topicConfigs(ctx context.Context, adm *kadm.Client, topic string) (map[string]string, error) {
	described, err := adm.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return nil, err
	}
	r, err := described.On(topic, nil)
	if err != nil {
		return nil, err
	}
	if r.Err != nil {
		return nil, r.Err
	}
	configs := make(map[string]string, len(r.Configs))
	for _, c := range r.Configs {
		configs[c.Key] = c.MaybeValue()
	}
	return configs, nil
}
