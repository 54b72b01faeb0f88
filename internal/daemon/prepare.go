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

// cluster is the result of preparing.
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

// prepareTime is more than preparing takes when the brokers respond.
const prepareTime = 30 * time.Second

// prepare retries prepareOnce for up to Start.Wait: while brokers restart, any request can
// fail.
func (d *Daemon) prepare(ctx context.Context) (*cluster, error) {
	deadline := time.Now().Add(d.config.Start.Wait)
	sdnotify.Starting("checking the cluster", d.config.Start.Wait+prepareTime)
	for {
		found, err := d.prepareOnce(ctx, time.Until(deadline))
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
	sdnotify.Starting("waiting for the brokers: "+d.deps.Redactor.Redact(err.Error()), left+prepareTime)
}

// prepareOnce waits for brokers, checks topics and rights, and commits start offsets. An error
// without an exit code can be retried.
func (d *Daemon) prepareOnce(ctx context.Context, wait time.Duration) (*cluster, error) {
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
		return nil, fmt.Errorf("request the cluster id: %w", err)
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
			d.log.Warn("topic misconfigured", "topic", r.Subject, "problem", r.Message, "remedy", r.Remedy)
		}
	}
	if err != nil {
		return nil, err
	}
	for _, r := range lag.Stranded(ctx, adm, c.Group, d.config.channelNames()) {
		d.log.Warn("alerts wait in an outbox of another group", "topic", r.Subject, "problem", r.Message, "remedy", r.Remedy)
	}
	if found.gone, err = d.findGone(ctx, adm, found.id); err != nil {
		d.log.Warn("checking for unconfigured channels failed", "err", err)
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

// ensureStart commits missing start offsets, or those of Start.From.
func (d *Daemon) ensureStart(ctx context.Context, adm *kadm.Client, found *cluster) error {
	c, from := &d.config.Kafka, d.config.Start.From
	start := consume.StartParams{
		Group: c.Group, Cluster: found.id, Topics: found.topics(kafka.RoleSource), Own: found.topics(kafka.RoleOutbox),
		Start: consume.Start{Latest: c.Start.Latest, At: c.Start.At}, Force: from != "" && from != Committed, Logger: d.log,
		Again: d.config.Start.Again,
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
