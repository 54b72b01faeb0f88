package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	script     = "scripts/kafka.sh"
	topic      = "trade-executions"
	peerDLQ    = "peer.dlq"
	partitions = 6
	keys       = 500 // record keys, session ids of the events
)

// node is a fresh Kafka node with the source topics, or a cluster of three.
type node struct {
	dir    string
	addrs  []string
	client *kgo.Client
	admin  *kadm.Client
}

// startNode starts one node, or three, whose topics have a replica on each.
func startNode(ctx context.Context, dir string, nodes int) (*node, error) {
	n := &node{dir: dir}
	if err := n.start(ctx, nodes); err != nil {
		n.stop()
		return nil, err
	}
	return n, nil
}

func (n *node) start(ctx context.Context, nodes int) error {
	verb := "start"
	if nodes > 1 {
		verb = "cluster"
	}
	out, err := command(ctx, script, verb, n.dir)
	if err != nil {
		return err
	}
	if n.addrs = addresses(out); len(n.addrs) != nodes {
		return fmt.Errorf("%s %s names %d nodes: %q", script, verb, len(n.addrs), out)
	}
	if n.client, err = kgo.NewClient(kgo.SeedBrokers(n.addrs...)); err != nil {
		return err
	}
	n.admin = kadm.NewClient(n.client)
	registered := until(ctx, time.Minute, func() bool {
		md, err := n.admin.BrokerMetadata(ctx)
		return err == nil && len(md.Brokers) == nodes
	})
	if !registered {
		return fmt.Errorf("not all of the %d nodes are brokers after 1 min", nodes)
	}
	created, err := n.admin.CreateTopics(ctx, partitions, int16(nodes), nil, topic, "portfolio-updates", "forward-test-events", peerDLQ)
	if err != nil {
		return err
	}
	return created.Error()
}

// addresses returns the first word of each line: of a node, the address for clients.
func addresses(out string) []string {
	var addrs []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 0 {
			addrs = append(addrs, f[0])
		}
	}
	return addrs
}

func (n *node) stop() {
	if n.client != nil {
		n.client.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, _ = command(ctx, script, "stop", n.dir)
}

// command runs a program and returns what it printed.
func command(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// event is a trade execution of about 350 bytes; one that matches is a rejected
// order.
func event(id int, match bool) []byte {
	status := "FILLED"
	if match {
		status = "REJECTED"
	}
	return fmt.Appendf(nil, `{"event_id":"e%d","event_type":"trade_execution","session_id":"s%d","strategy_id":"mean-reversion-%d",`+
		`"account_id":"ACC-%04d","order_id":"o-%d","symbol":"AAPL","side":"BUY","order_type":"LIMIT","quantity":%d,"price":187.42,`+
		`"filled_quantity":100,"average_fill_price":187.41,"commission":0.35,"currency":"USD","venue":"XNAS","status":%q,"timestamp":%q}`,
		id, id%keys, id%20, id%300, id, 100+id%50, status, time.Now().UTC().Format(time.RFC3339Nano))
}

// load is events to produce.
type load struct {
	from, n int
	match   float64 // the fraction that matches the rule
	rate    int     // events/s; 0: as fast as possible
}

// produce produces the events and returns once all are acknowledged. It tells s
// when each was sent.
func (n *node) produce(ctx context.Context, l load, s *sink) error {
	linger := 5 * time.Millisecond
	if l.rate > 0 {
		linger = 0 // the load must not add to the latency
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.addrs...), kgo.DefaultProduceTopic(topic), kgo.MaxBufferedRecords(100_000), kgo.ProducerLinger(linger))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	random := rand.New(rand.NewPCG(1, 2))
	began := time.Now()
	for i := range l.n {
		if l.rate > 0 {
			if due := time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(l.rate))); due > time.Millisecond {
				time.Sleep(due)
			}
		}
		id := l.from + i
		value := event(id, random.Float64() < l.match)
		s.sent(id)
		cl.Produce(ctx, &kgo.Record{Key: fmt.Appendf(nil, "s%d", id%keys), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				cancel(err)
			}
		})
	}
	_ = cl.Flush(ctx) // fails only with ctx
	return context.Cause(ctx)
}

// raw consumes the n events of the topic, does nothing with them, and returns
// how many a second.
func (n *node) raw(ctx context.Context, events int) (float64, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.addrs...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	began := time.Now()
	for got := 0; got < events; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, err
		}
		got += fetches.NumRecords()
	}
	return float64(events) / time.Since(began).Seconds(), nil
}

// drained returns a condition: the group has committed the end of the topic,
// which must not grow.
func (n *node) drained(ctx context.Context, group string) (func() bool, error) {
	ends, err := n.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	return func() bool {
		committed, err := n.admin.FetchOffsets(ctx, group)
		if err != nil {
			return false
		}
		all := true
		ends.Each(func(end kadm.ListedOffset) {
			at, ok := committed.Lookup(end.Topic, end.Partition)
			all = all && (end.Offset == 0 || ok && at.At >= end.Offset)
		})
		return all
	}, ends.Error()
}

// until polls a condition and reports whether it held within the limit.
func until(ctx context.Context, limit time.Duration, holds func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
