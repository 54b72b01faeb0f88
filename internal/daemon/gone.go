package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// findGone returns the channels that are no longer configured and have waiting alerts. The
// daemon reads their outboxes, so that the alerts are shown and can be moved. Outboxes that
// another notifier reads are left out: its configuration may be newer.
func (d *Daemon) findGone(ctx context.Context, adm *kadm.Client, cluster string) ([]string, error) {
	group := d.config.Kafka.Group
	details, err := adm.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list outboxes: %w", err)
	}
	var others []string
	for _, topic := range details.Names() {
		name, outbox := strings.CutPrefix(topic, topics.Outbox(group, ""))
		if outbox && !strings.Contains(name, ".") && !slices.Contains(d.config.channelNames(), name) {
			others = append(others, topic)
		}
	}
	if len(others) == 0 {
		return nil, nil
	}
	waiting, err := lag.Waiting(ctx, adm, topics.OutboxGroup(group), cluster, others...)
	if err != nil {
		return nil, fmt.Errorf("read the lag of unconfigured outboxes: %w", err)
	}
	read, err := readByOthers(ctx, adm, topics.OutboxGroup(group), d.config.Kafka.InstanceID)
	if err != nil {
		return nil, err
	}
	var gone []string
	for _, topic := range others {
		n := waiting[topic].Total()
		if n == 0 || read[topic] {
			continue
		}
		name := strings.TrimPrefix(topic, topics.Outbox(group, ""))
		d.log.Error("alerts wait for a channel that is no longer configured", "channel", name, "topic", topic, "waiting", n,
			"remedy", "configure it, or move them: notifier channels move "+name+" CHANNEL")
		gone = append(gone, name)
	}
	return gone, nil
}

// readByOthers returns the topics that members of a group read, except the member with our
// instance id.
func readByOthers(ctx context.Context, adm *kadm.Client, group, instance string) (map[string]bool, error) {
	groups, err := adm.DescribeGroups(ctx, group)
	if err == nil {
		err = groups[group].Err
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("describe group %s: %w", group, err)
	}
	read := make(map[string]bool)
	for _, m := range groups[group].Members {
		if instance != "" && m.InstanceID != nil && *m.InstanceID == instance {
			continue
		}
		if a, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range a.Topics {
				read[t.Topic] = true
			}
		}
	}
	return read, nil
}

// goneChannel replaces a channel that is no longer configured. It refuses all alerts, so that
// they wait.
func goneChannel(name string) Channel {
	return Channel{Name: name, Channel: refusing{name}, Dispatch: dispatch.Config{
		Concurrency: 1, Timeout: dispatch.DefaultRetry().Max, Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Ambiguous: dispatch.Resend,
	}}
}

type refusing struct{ name string }

// Send implements channel.Channel.
func (c refusing) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{}, outcome.Errorf(outcome.Misconfigured,
		"%s is no longer configured: configure it, or 'notifier channels move %s CHANNEL'", c.name, c.name)
}
