package kafka

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

// Shape is the specification of a topic.
type Shape struct {
	Topic       string
	Role        Role
	Partitions  int32
	SingleOwner bool // of an outbox: see Channel
	Replication int16
	Configs     map[string]string // Kafka's topic configs; missing ones have the cluster's default
}

// Layout determines the shapes of all topics.
type Layout struct {
	Group       string
	Channels    []Channel
	Partitions  int32 // of the sources; 0: 6
	Replication int16 // of all topics; 0: 3, or the number of brokers if lower
	// Event is the size of the largest event once it is unpacked, in bytes; 0:
	// event.DefaultMaxUnpacked. A compressed batch can be far smaller, and our own
	// records are limited by what they take unpacked.
	Event int
}

// Channel is a channel's outbox.
type Channel struct {
	Name       string
	Partitions int
	// SingleOwner is set where one instance owns all partitions, which are then one for
	// each severity.
	SingleOwner bool
}

const (
	sourcePartitions = 6
	// The delivery log: see deliverylog.Record.
	deliveriesPartitions = 6
	deliveriesKept       = 7 * 24 * time.Hour
	// headroom bounds what an envelope adds to its source record, in bytes.
	headroom = 64 << 10
	// DefaultMaxMessage is Kafka's default of max.message.bytes.
	DefaultMaxMessage = 1048588
	// MaxEnvelope bounds a batch of a command that does not know a topic's
	// max.message.bytes; the broker enforces it.
	MaxEnvelope = 64 << 20
)

// Shapes returns the shapes of the sources and of our own topics. sizes are the
// sources' max.message.bytes; missing ones have the default.
func (l Layout) Shapes(brokers int, sizes map[string]int) []Shape {
	replication := l.Replication
	if replication == 0 {
		replication = int16(min(3, max(brokers, 1)))
	}
	partitions := l.Partitions
	if partitions == 0 {
		partitions = sourcePartitions
	}
	largest := max(cmp.Or(l.Event, int(event.DefaultMaxUnpacked)), DefaultMaxMessage)
	for _, name := range topics.All() {
		largest = max(largest, sizes[string(name)])
	}
	fits := strconv.Itoa(largest + headroom)
	durable := func(configs map[string]string) map[string]string {
		if replication >= 3 {
			configs["min.insync.replicas"] = "2"
		}
		return configs
	}
	var shapes []Shape
	for _, name := range topics.All() {
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
				"max.message.bytes": fits,
			}),
		})
	}
	shapes = append(shapes, Shape{
		Topic: topics.Replay(l.Group), Role: RoleReplay, Partitions: 1, Replication: replication,
		Configs: durable(map[string]string{
			"cleanup.policy": "delete", "retention.ms": ms(30 * 24 * time.Hour),
			"max.message.bytes": fits,
		}),
	})
	shapes = append(shapes, Shape{
		Topic: topics.Deliveries(l.Group), Role: RoleDeliveries, Partitions: deliveriesPartitions, Replication: replication,
		Configs: durable(map[string]string{"cleanup.policy": "delete", "retention.ms": ms(deliveriesKept)}),
	}, Shape{
		Topic: topics.State(l.Group), Role: RoleState, Partitions: 1, Replication: replication,
		Configs: durable(map[string]string{
			"cleanup.policy": "compact", "segment.ms": ms(time.Hour), "max.compaction.lag.ms": ms(24 * time.Hour),
			"min.cleanable.dirty.ratio": "0.1",
		}),
	})
	for _, c := range l.Channels {
		shapes = append(shapes, Shape{
			Topic: topics.Outbox(l.Group, c.Name), Role: RoleOutbox, Partitions: int32(c.Partitions), SingleOwner: c.SingleOwner, Replication: replication,
			Configs: durable(map[string]string{
				"cleanup.policy": "delete", "retention.ms": ms(30 * 24 * time.Hour),
				"max.message.bytes": fits,
			}),
		})
	}
	return shapes
}

func ms(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// ClusterShapes returns the shapes for a cluster: its number of brokers and the
// sources' message sizes.
func ClusterShapes(ctx context.Context, adm *kadm.Client, l Layout) ([]Shape, error) {
	md, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("list brokers: %w", err)
	}
	sizes := make(map[string]int)
	for _, name := range topics.All() {
		if configs, err := topicConfigs(ctx, adm, string(name)); err == nil {
			sizes[string(name)], _ = strconv.Atoi(configs["max.message.bytes"])
		}
	}
	return l.Shapes(len(md.Brokers), sizes), nil
}

// MaxMessage returns a topic's max.message.bytes, or the default if it cannot be
// read.
func MaxMessage(ctx context.Context, adm *kadm.Client, topic string) int32 {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	configs, err := topicConfigs(ctx, adm, topic)
	if n, parseErr := strconv.ParseInt(configs["max.message.bytes"], 10, 32); err == nil && parseErr == nil && n > 0 {
		return int32(n)
	}
	return DefaultMaxMessage
}

// topicConfigs returns a topic's effective configuration.
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
