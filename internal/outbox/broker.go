package outbox

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
)

// Broker is what a Producer needs of a cluster.
type Broker interface {
	// Produce sends a record to its Partition, in order, and calls promise once it
	// is acknowledged by all in-sync replicas or has failed.
	Produce(r *kgo.Record, promise func(*kgo.Record, error))
	// LookUp returns the id of a topic and how many partitions it has.
	LookUp(ctx context.Context, topic string) (id string, partitions int32, err error)
	// Forget has the next record of a topic go to the topic that now has this
	// name. What is in flight fails.
	Forget(topic string)
}

// Kafka returns the Broker of a client with kafka.OutboxOptions.
func Kafka(client *kgo.Client) Broker { return cluster{client, kadm.NewClient(client)} }

type cluster struct {
	client *kgo.Client
	admin  *kadm.Client
}

// Produce implements Broker.
func (c cluster) Produce(r *kgo.Record, promise func(*kgo.Record, error)) {
	c.client.Produce(context.Background(), r, promise)
}

// LookUp implements Broker.
func (c cluster) LookUp(ctx context.Context, topic string) (string, int32, error) {
	details, err := c.admin.ListTopics(ctx, topic)
	if err == nil {
		err = details[topic].Err
	}
	return envelope.TopicID(details[topic].ID), int32(len(details[topic].Partitions)), err
}

// Forget implements Broker.
func (c cluster) Forget(topic string) { c.client.PurgeTopicsFromProducing(topic) }
