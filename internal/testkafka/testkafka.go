// Package testkafka provides a Kafka cluster for tests: an in-process kfake, or
// the real one in NOTIFIER_TEST_KAFKA, on which it recreates the topics. Tests
// that share the real one must not run concurrently.
package testkafka

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/topics"
)

// Env names the variable with the real cluster's brokers.
const Env = "NOTIFIER_TEST_KAFKA"

// Cluster is a cluster for one test.
type Cluster struct {
	Brokers []string
	Group   string // the test's own group, prefix of the topics
	ID      string // the cluster id

	t     testing.TB
	fake  *kfake.Cluster
	dial  Dial // nil: TCP
	Admin *kadm.Client
}

// Start returns a cluster with the source topics and the topics of the test's own
// group. options are for the kfake.
func Start(t testing.TB, channels []kafka.Channel, options ...kfake.Opt) *Cluster {
	t.Helper()
	c := Bare(t, options...)
	c.Make(c.Shapes(channels)...)
	return c
}

// Bare returns a cluster without topics.
func Bare(t testing.TB, options ...kfake.Opt) *Cluster {
	t.Helper()
	c := &Cluster{t: t, Group: "notification-service"}
	if brokers := os.Getenv(Env); brokers != "" {
		c.Brokers = strings.Split(brokers, ",")
		c.Group = fmt.Sprintf("test-%d", time.Now().UnixNano())
	} else {
		fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, options...)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		c.fake, c.Brokers = fake, fake.ListenAddrs()
	}
	c.Admin = kadm.NewClient(c.Client())
	ctx := c.context()
	if c.fake == nil {
		var names []string
		for _, n := range topics.All() {
			names = append(names, string(n))
		}
		c.Delete(names...)
	}
	md, err := c.Admin.BrokerMetadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c.ID = md.Cluster
	return c
}

// Virtual returns a kfake with a virtual network, for testing/synctest and its
// fake clock. kgo needs the build tag synctests.
func Virtual(t testing.TB, channels []kafka.Channel, options ...kfake.Opt) *Cluster {
	t.Helper()
	network := &kfake.VirtualNetwork{}
	fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.ListenFn(network.Listen)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c := &Cluster{t: t, Group: "notification-service", fake: fake, Brokers: fake.ListenAddrs(), dial: network.DialContext}
	c.Admin = kadm.NewClient(c.Client())
	md, err := c.Admin.BrokerMetadata(c.context())
	if err != nil {
		t.Fatal(err)
	}
	c.ID = md.Cluster
	c.Make(c.Shapes(channels)...)
	return c
}

// Wire returns a wire to the cluster, for network faults.
func (c *Cluster) Wire() *Wire {
	if c.dial != nil {
		return NewWire(c.dial)
	}
	return NewWire((&net.Dialer{}).DialContext)
}

// Real reports whether the cluster is a real one.
func (c *Cluster) Real() bool { return c.fake == nil }

// Fake returns the kfake; it fails the test on a real cluster.
func (c *Cluster) Fake() *kfake.Cluster {
	c.t.Helper()
	if c.fake == nil {
		c.t.Fatal("this test needs kfake: run it without " + Env)
	}
	return c.fake
}

func (c *Cluster) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	c.t.Cleanup(cancel)
	return ctx
}

// Config returns the configuration for the cluster.
func (c *Cluster) Config() *kafka.Config {
	config := kafka.Defaults()
	config.Brokers, config.Group = c.Brokers, c.Group
	return &config
}

// Options returns the options of the daemon's clients.
func (c *Cluster) Options() []kgo.Opt {
	opts, err := c.Config().Options("test", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.dial != nil {
		opts = append(opts, kgo.Dialer(c.dial))
	}
	return opts
}

// Client returns a client that is closed at the end of the test.
func (c *Cluster) Client(more ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	cl, err := kgo.NewClient(append(c.Options(), more...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

// Shapes returns the sources and the group's own topics.
func (c *Cluster) Shapes(channels []kafka.Channel) []kafka.Shape {
	return kafka.Layout{Group: c.Group, Channels: channels, Partitions: 3}.Shapes(1, nil)
}

// Make creates topics and waits until they are usable.
func (c *Cluster) Make(shapes ...kafka.Shape) {
	c.t.Helper()
	ctx := c.context()
	if err := kafka.Create(ctx, c.Admin, shapes); err != nil {
		c.t.Fatal(err)
	}
	if err := kafka.WaitUsable(ctx, c.Admin, shapes, 20*time.Second); err != nil {
		c.t.Fatal(err)
	}
}

// Delete deletes topics and waits until they are gone.
func (c *Cluster) Delete(names ...string) {
	c.t.Helper()
	ctx := c.context()
	resp, err := c.Admin.DeleteTopics(ctx, names...)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, r := range resp {
		if r.Err != nil && r.Err != kerr.UnknownTopicOrPartition {
			c.t.Fatalf("delete %s: %v", r.Topic, r.Err)
		}
	}
	Eventually(c.t, 20*time.Second, "the topics are gone", func() bool {
		details, err := c.Admin.ListTopics(ctx, names...)
		if err != nil {
			return false
		}
		for _, d := range details {
			if d.Err == nil {
				return false
			}
		}
		return true
	})
}

// Produce sends records and waits for their acknowledgements.
func (c *Cluster) Produce(records ...*kgo.Record) {
	c.t.Helper()
	cl, err := kgo.NewClient(append(c.Options(), kgo.ProducerBatchMaxBytes(kafka.DefaultMaxMessage))...)
	if err != nil {
		c.t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(c.context(), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// Committed returns the committed offsets of a group, by topic and partition.
func (c *Cluster) Committed(group string) kadm.OffsetResponses {
	c.t.Helper()
	offsets, err := c.Admin.FetchOffsets(c.context(), group)
	if err != nil {
		c.t.Fatal(err)
	}
	return offsets
}

// FailOffset has the fake answer the next fetch of a group's offsets with an error
// for partition 0 of a topic, and with nothing else.
func (c *Cluster) FailOffset(group, topic string, code *kerr.Error) {
	c.t.Helper()
	details, err := c.Admin.ListTopics(c.context(), topic)
	if err != nil {
		c.t.Fatal(err)
	}
	p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	p.Offset, p.ErrorCode = -1, code.Code
	of := kmsg.NewOffsetFetchResponseGroupTopic()
	of.Topic, of.TopicID, of.Partitions = topic, details[topic].ID, []kmsg.OffsetFetchResponseGroupTopicPartition{p}
	g := kmsg.NewOffsetFetchResponseGroup()
	g.Group, g.Topics = group, []kmsg.OffsetFetchResponseGroupTopic{of}
	c.Fake().ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		resp := r.ResponseKind().(*kmsg.OffsetFetchResponse)
		resp.Groups = []kmsg.OffsetFetchResponseGroup{g}
		return resp, nil, true
	})
}

// Lag returns the group's total lag, in records; -1 on an error.
func (c *Cluster) Lag(group string) int64 {
	lags, err := c.Admin.Lag(c.context(), group)
	if err != nil {
		return -1
	}
	l, ok := lags[group]
	if !ok || l.Error() != nil {
		return -1
	}
	for _, p := range l.Lag.Sorted() {
		if p.Commit.At >= 0 {
			return l.Lag.Total()
		}
	}
	return -1
}

// Eventually waits until holds returns true, or fails the test.
func Eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
