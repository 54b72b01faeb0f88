package channels

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

const aboutReset = `Have the notifiers that run try channel NAME now, since it was mended: they would by themselves,
but a latched channel only once a minute, and an open breaker when its time is over. The
breaker is half open, one alert goes out at once, and one of each suspended rule. Messages that
were refused in a row are counted from zero. A wait that the provider asked for (Retry-After) stands.

What is written is one request, to the group's replay topic, which every notifier reads. The
command waits until alerts go out, or until it is known that the channel still refuses them.`

// reset is what 'channels reset' was asked for, and what it knows.
type reset struct {
	noWait bool
	name   string

	g       *base.Globals
	client  *kgo.Client
	admin   *kadm.Client
	group   string
	cluster string
	outbox  string
	daemon  *base.Instance
	waiting lag.Partitions // when it was asked for
}

func newReset(g *base.Globals) *cobra.Command {
	r := reset{g: g}
	cmd := &cobra.Command{
		Use: "reset NAME", Short: "Have a channel that was mended tried now", Long: aboutReset, Args: base.OneArg("the name of a channel"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.name = args[0]
			return r.run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&r.noWait, "no-wait", false, "do not wait for what comes of it")
	return cmd
}

func (r *reset) run(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	defer r.client.Close()
	switch idle, err := r.nobody(ctx); {
	case err != nil:
		return err
	case idle:
		return r.report("idle", fmt.Sprintf("no notifier is running in group %s: one that starts tries every channel at once", r.group))
	}
	asked := time.Now()
	q := control.Reset{Channel: r.name, By: base.User()}
	if err := r.client.ProduceSync(ctx, q.Record(r.group)).FirstErr(); err != nil {
		return fmt.Errorf("ask for it in %s: %w", topics.Replay(r.group), err)
	}
	switch {
	case r.noWait:
		return r.report("asked", "asked for: the notifiers try "+r.name+" within seconds")
	case r.waiting.Total() == 0:
		return r.report("asked", "asked for; nothing waits for "+r.name+": the next alert tries it")
	}
	return r.await(ctx, asked)
}

// prepare finds what is misused, a cluster that answers, and what waits.
func (r *reset) prepare(ctx context.Context) error {
	src := r.g.Source()
	src.Shipped = true
	l, _, err := config.LoadBase(src) // its faults do not matter here but for how to reach the cluster
	if err != nil {
		return base.Fail(base.ExitConfig, "%w", err)
	}
	r.daemon = base.NewInstance(l.HTTP.Listen)
	c, err := r.g.Kafka()
	if err != nil {
		return err
	}
	r.group, r.outbox = c.Group, topics.Outbox(c.Group, r.name)
	if r.client, err = r.g.Reach(ctx, c, "channels", dlq.ProducerOptions(kafka.MaxEnvelope)...); err != nil {
		return err
	}
	r.admin = kadm.NewClient(r.client)
	if err := r.look(ctx, l.Channels.Names()); err != nil {
		r.client.Close()
		return err
	}
	return nil
}

func (r *reset) look(ctx context.Context, configured []string) error {
	md, err := r.admin.BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("look at the cluster: %w", err)
	}
	r.cluster = md.Cluster
	waiting, err := lag.Waiting(ctx, r.admin, topics.OutboxGroup(r.group), r.cluster, r.outbox)
	if err != nil {
		return err
	}
	r.waiting = waiting[r.outbox]
	switch err := r.waiting.Err; {
	case errors.Is(err, kerr.UnknownTopicOrPartition) && slices.Contains(configured, r.name):
		return base.Fail(base.ExitFailed, "the outbox of %s is missing (topic %s): run '%s topics create'", r.name, r.outbox, r.g.Self())
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return unknownChannel(r.name, configured)
	case err != nil:
		return fmt.Errorf("look into %s: %w", r.outbox, err)
	}
	return nil
}

// nobody reports whether no notifier reads outboxes now.
func (r *reset) nobody(ctx context.Context) (bool, error) {
	group := topics.OutboxGroup(r.group)
	groups, err := r.admin.DescribeGroups(ctx, group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return false, fmt.Errorf("look at group %s: %w", group, err)
	}
	return len(groups[group].Members) == 0, nil
}

// tryWithin is how long a result is waited for: the request is read within a
// second or two, and most providers answer in less than the rest.
const tryWithin = 20 * time.Second

// await waits until something that waited does so no more, or until the
// notifier that answers here has tried and failed.
func (r *reset) await(ctx context.Context, asked time.Time) error {
	below := make(map[int32]int64)
	for id, p := range r.waiting.Parts {
		below[id] = p.End
	}
	total := r.waiting.Total()
	over := time.NewTimer(tryWithin)
	defer over.Stop()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		waiting, err := lag.Waiting(ctx, r.admin, topics.OutboxGroup(r.group), r.cluster, r.outbox)
		left, known := waiting[r.outbox].Below(r.waiting.TopicID, below)
		fewer := err == nil && known && left < total
		now := r.component(ctx) // after that: what was refused is a dead letter, and waits no longer
		if text := refusedSince(now, asked); text != "" {
			return errors.Join(r.report("refused", ""), base.Fail(base.ExitFailed, "%s was tried and does not work: %s", r.name, text))
		}
		if fewer && !ruleSuspended(now) {
			return r.report("works", fmt.Sprintf("%s takes alerts again: %s of %s that waited %s left", r.name,
				humanize.Comma(left), humanize.Comma(total), term.VerbOf(left, "is", "are")))
		}
		select {
		case <-tick.C:
		case <-over.C:
			if ruleSuspended(now) {
				return errors.Join(r.report("refused", ""), base.Fail(base.ExitFailed, "%s was tried: %s", r.name, now.Cause))
			}
			return errors.Join(r.report("unknown", ""), base.Fail(base.ExitFailed, "asked for, and nothing that waits for %s went out within %s: /readyz and the log of the notifier that has its outbox say why",
				r.name, tryWithin))
		case <-ctx.Done():
			return base.Fail(base.ExitFailed, "interrupted; it was asked for, and the notifiers try %s", r.name)
		}
	}
}

// component returns the channel as the notifier that answers here shows it; nil:
// none does, or it does not have the channel.
func (r *reset) component(ctx context.Context) *admin.Component {
	now, err := r.daemon.Readiness(ctx)
	if err != nil {
		return nil
	}
	return now.Channel(r.name)
}

// refusedSince says why the channel does not work, where it was tried since;
// empty: it is not known.
func refusedSince(c *admin.Component, asked time.Time) string {
	if c == nil || c.Tried == nil || !c.Tried.After(asked) || c.State != "latched" && c.State != "open" {
		return ""
	}
	return strings.TrimSpace(c.State + ": " + c.Cause)
}

// ruleSuspended reports whether the channel works, but for a rule.
func ruleSuspended(c *admin.Component) bool { return c != nil && !c.OK && c.State == "closed" }

// report ends the command: in words, or as an object. Result is one of idle (nobody
// runs), asked, works, refused, unknown.
func (r *reset) report(result, text string) error {
	if r.g.JSON() {
		return base.NewEncoder(r.g.IO.Out).Encode(map[string]any{"channel": r.name, "waiting": r.waiting.Total(), "result": result, "says": text})
	}
	if text != "" {
		fmt.Fprintln(r.g.IO.Err, term.Visible(text))
	}
	return nil
}
