package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/sdnotify"
	"github.com/algotrade/notifier/internal/topics"
)

// cluster is what a look at the cluster found.
type cluster struct {
	id     string
	shapes []kafka.Shape
	gone   []string // channels that are no longer configured and whose outboxes hold alerts
}

func (c *cluster) topics(role kafka.Role) []string {
	var names []string
	for _, shape := range c.shapes {
		if shape.Role == role {
			names = append(names, shape.Topic)
		}
	}
	return names
}

// lookTime is more than a look at a cluster that answers takes.
const lookTime = 30 * time.Second

// prepare looks at the cluster until it has seen everything, for at most
// Start.Wait: while brokers restart, one may answer and the next may be down.
func (d *Daemon) prepare(ctx context.Context) (*cluster, error) {
	deadline := time.Now().Add(d.config.Start.Wait)
	sdnotify.Starting("looking at the cluster", d.config.Start.Wait+lookTime)
	for {
		found, err := d.look(ctx, time.Until(deadline))
		var coded interface{ ExitCode() int }
		if err == nil || errors.As(err, &coded) || errors.Is(err, consume.ErrExpired) {
			return found, err
		}
		left := time.Until(deadline)
		if left <= 0 || ctx.Err() != nil {
			return nil, &kafka.Problem{Exit: kafka.ExitUnavailable, Text: err.Error()}
		}
		d.waiting(left, err)
		select {
		case <-time.After(min(time.Second, left)):
		case <-ctx.Done():
		}
	}
}

func (d *Daemon) waiting(left time.Duration, err error) {
	left = left.Round(time.Second)
	d.log.Warn("waiting for the brokers", "for", left, "err", err)
	sdnotify.Starting("waiting for the brokers: "+d.deps.Redactor.Redact(err.Error()), left+lookTime)
}

// look looks at the cluster once: reachable within wait, topics there and fit,
// rights, and where the groups start. An error without an exit code may be over in
// a moment.
func (d *Daemon) look(ctx context.Context, wait time.Duration) (*cluster, error) {
	c := &d.config.Kafka
	cl, err := d.client("preflight")
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	err = kafka.WaitReachable(ctx, cl, c, wait, func(err error) { d.waiting(wait, err) })
	if err != nil {
		return nil, err
	}
	md, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the cluster: %w", err)
	}
	found := &cluster{id: md.Cluster}
	if ahead, err := kafka.ClockOffset(ctx, cl); err == nil && kafka.ClockText(ahead) != "" {
		d.log.Warn("clock", "problem", kafka.ClockText(ahead))
	}
	if found.shapes, err = kafka.ClusterShapes(ctx, adm, d.config.layout()); err != nil {
		return nil, err
	}
	if d.config.Start.CreateTopics {
		if err := d.createOwn(ctx, adm, found.shapes); err != nil {
			return nil, err
		}
	}
	results, err := kafka.Preflight(ctx, adm, c, found.shapes)
	for _, r := range results {
		if r.Status == check.Warning {
			d.log.Warn("topic is not as it should be", "topic", r.Subject, "problem", r.Message, "do", r.Remedy)
		}
	}
	if err != nil {
		return nil, err
	}
	for _, r := range lag.Stranded(ctx, adm, c.Group, d.config.channelNames()) {
		d.log.Warn("alerts wait in an outbox of another group", "topic", r.Subject, "problem", r.Message, "do", r.Remedy)
	}
	if found.gone, err = d.findGone(ctx, adm, found.id); err != nil { // nothing else depends on it
		d.log.Warn("cannot look for outboxes without a channel", "err", err)
	}
	return found, d.ensureStart(ctx, adm, found)
}

func (d *Daemon) createOwn(ctx context.Context, adm *kadm.Client, shapes []kafka.Shape) error {
	var own []kafka.Shape
	for _, shape := range shapes {
		if shape.Role != kafka.RoleSource {
			own = append(own, shape)
		}
	}
	missing, err := kafka.Missing(ctx, adm, own)
	if err != nil {
		return err
	}
	for _, shape := range missing {
		d.log.Info("creating topic", "topic", shape.Topic, "partitions", shape.Partitions, "replication", shape.Replication)
	}
	return kafka.Create(ctx, adm, missing)
}

// ensureStart commits where the groups start, where that is not committed yet or
// Start.From says otherwise.
func (d *Daemon) ensureStart(ctx context.Context, adm *kadm.Client, found *cluster) error {
	c, from := &d.config.Kafka, d.config.Start.From
	start := consume.StartParams{
		Group: c.Group, Cluster: found.id, Topics: found.topics(kafka.RoleSource), Own: found.topics(kafka.RoleOutbox),
		Start: consume.Start{Latest: c.Start.Latest, At: c.Start.At}, Force: from != "" && from != Committed, Logger: d.log,
	}
	err := consume.EnsureStart(ctx, adm, start)
	if err != nil || from == "" {
		return err
	}
	own := start
	own.Group, own.Topics, own.Force = topics.OutboxGroup(c.Group), start.Own, true
	if from == Committed {
		own.Start = consume.Start{}
	}
	return consume.AcceptOffsets(ctx, adm, own)
}
