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

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

const aboutMove = `Move the alerts that wait for channel OLD to channel NEW: all that are in OLD's outbox now and not
settled. Later alerts still go to OLD: change its rules. OLD may be a channel that is no longer
configured; NEW must be configured.

A notifier must be running: the command writes one request to the group's replay topic. Order is
kept, expired alerts are not sent, and each alert is moved once, also after a crash or a repeated
request. The command waits for the end; interrupting it does not stop the move.`

// move is one run of 'channels move'.
type move struct {
	base.Consent
	noWait   bool
	from, to string

	g       *base.Globals
	client  *kgo.Client
	admin   *kadm.Client
	group   string
	cluster string
	config  *config.Loaded // nil: none
	outbox  string
	waiting lag.Partitions
}

func newMove(g *base.Globals) *cobra.Command {
	m := move{g: g}
	cmd := &cobra.Command{
		Use: "move OLD NEW", Short: "Move the waiting alerts of one channel to another", Long: aboutMove,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return base.Misused("%s takes two channels: OLD and NEW", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			m.from, m.to = args[0], args[1]
			return m.run(cmd.Context())
		},
	}
	m.Consent.Flags(cmd)
	cmd.Flags().BoolVar(&m.noWait, "no-wait", false, "do not wait for the end")
	return cmd
}

func (m *move) run(ctx context.Context) error {
	if err := m.prepare(ctx); err != nil {
		return err
	}
	defer m.client.Close()
	if err := m.check(ctx); err != nil {
		return err
	}
	n := m.waiting.Total()
	if n == 0 {
		return m.report(0, "no alerts wait for "+m.from)
	}
	if err := m.plan(ctx, n); err != nil {
		return err
	}
	if ok, err := m.Consent.Ask(ctx, m.g, fmt.Sprintf("move %s to %s", plural.Count(n, "alert"), m.to)); !ok {
		if err == nil {
			err = m.report(0, "")
		}
		return err
	}
	q := m.request()
	if err := m.client.ProduceSync(ctx, q.Record(m.group)).FirstErr(); err != nil {
		return fmt.Errorf("write the request to %s: %w", topics.Replay(m.group), err)
	}
	return m.await(ctx, q, n)
}

// prepare checks the arguments and connects.
func (m *move) prepare(ctx context.Context) error {
	if m.from == m.to {
		return base.Misused("%s cannot be moved to itself", m.from)
	}
	if l, faults, err := config.Load(m.g.Source()); err == nil && len(faults.Errors()) == 0 {
		m.config = l
		if l.Channels.Get(m.to) == nil {
			return unknownChannel(m.to, l.Channels.Names())
		}
	}
	if err := m.Possible(m.g); err != nil {
		return err
	}
	c, err := m.g.Kafka()
	if err != nil {
		return err
	}
	m.group, m.outbox = c.Group, topics.Outbox(c.Group, m.from)
	if m.client, err = m.g.Reach(ctx, c, "channels", replay.ClientOptions(kafka.MaxEnvelope)...); err != nil {
		return err
	}
	m.admin = kadm.NewClient(m.client)
	md, err := m.admin.BrokerMetadata(ctx)
	m.cluster = md.Cluster
	return err
}

func unknownChannel(name string, known []string) error {
	if near := suggest.Closest(name, known); near != "" {
		return base.Misused("there is no channel %s, did you mean %s?", name, near)
	}
	return base.Misused("there is no channel %s: choose from %s", name, strings.Join(known, ", "))
}

// check reads the lag of OLD and checks both outboxes and open requests.
func (m *move) check(ctx context.Context) error {
	to := topics.Outbox(m.group, m.to)
	waiting, err := lag.Waiting(ctx, m.admin, topics.OutboxGroup(m.group), m.cluster, m.outbox, to)
	if err != nil {
		return err
	}
	m.waiting = waiting[m.outbox]
	switch {
	case errors.Is(m.waiting.Err, kerr.UnknownTopicOrPartition):
		return m.noOutbox(ctx)
	case m.waiting.Err != nil:
		return fmt.Errorf("read the lag of %s: %w", m.outbox, m.waiting.Err)
	case errors.Is(waiting[to].Err, kerr.UnknownTopicOrPartition):
		return base.Fail(base.ExitFailed, "the outbox of %s is missing (topic %s): run '%s topics create'", m.to, to, m.g.Self())
	}
	open, err := control.Open(ctx, m.admin, dlq.NewLog(m.client), m.group)
	if err != nil {
		return fmt.Errorf("read the requests in %s: %w", topics.Replay(m.group), err)
	}
	for _, q := range open {
		left, known := m.waiting.Below(q.TopicID, q.Below)
		if q.From == m.from && q.To != m.to && known && left > 0 {
			return base.Fail(base.ExitFailed, "%s requested to move the alerts of %s to %s, and %s %s", q.By, m.from, q.To,
				plural.Count(left, "alert"), plural.VerbOf(left, "is left", "are left"))
		}
	}
	return nil
}

// noOutbox returns the error for a channel without an outbox.
func (m *move) noOutbox(ctx context.Context) error {
	details, err := m.admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list outboxes: %w", err)
	}
	var names []string
	for _, topic := range details.Names() {
		if name, ok := strings.CutPrefix(topic, topics.Outbox(m.group, "")); ok && !strings.Contains(name, ".") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return base.Fail(base.ExitFailed, "group %s has no outboxes on this cluster: is --group right?", m.group)
	}
	return unknownChannel(m.from, names)
}

// plan prints what will be moved and its consequences.
func (m *move) plan(ctx context.Context, n int64) error {
	oldest, err := lag.Oldest(ctx, dlq.NewLog(m.client), m.outbox, m.waiting)
	if err != nil {
		return err
	}
	if m.g.JSON() {
		return nil
	}
	out := m.g.IO.Err
	fmt.Fprintf(out, "%s for %s", plural.Verb(n, "alert waits", "alerts wait"), m.from)
	if !oldest.IsZero() {
		fmt.Fprintf(out, ", the oldest for %s", channel.Duration(max(time.Since(oldest), 0)))
	}
	fmt.Fprintln(out)
	if m.config == nil {
		return nil
	}
	if rate := float64(m.config.Channels.Get(m.to).Dispatch.Pace.Rate); rate > 0 {
		takes := time.Duration(float64(n) / rate * float64(time.Second))
		if takes > time.Minute {
			fmt.Fprintf(out, "%s takes %s at its rate limit; new alerts wait behind them\n", m.to, channel.Duration(takes))
		}
	}
	var both []string
	for _, r := range m.config.Rules.Rules() {
		if slices.Contains(r.Channels, m.from) && slices.Contains(r.Channels, m.to) {
			both = append(both, r.Name)
		}
	}
	if len(both) > 0 {
		fmt.Fprintf(out, "%s receives alerts twice: rules with both channels: %s\n", m.to, strings.Join(both, ", "))
	}
	return nil
}

func (m *move) request() *control.Request {
	q := &control.Request{From: m.from, To: m.to, TopicID: m.waiting.TopicID, Below: make(map[int32]int64), By: base.User()}
	for id, p := range m.waiting.Parts {
		if p.Waiting > 0 {
			q.Below[id] = p.End
		}
	}
	return q
}

// awaitEvery is the interval of progress checks.
const awaitEvery = 500 * time.Millisecond

// await waits until the request is settled.
func (m *move) await(ctx context.Context, q *control.Request, n int64) error {
	if text, err := m.notRunning(ctx); err != nil || text != "" {
		return errors.Join(err, m.report(n, text))
	}
	if m.noWait {
		return m.report(n, "requested: the notifier moves them")
	}
	bar := m.g.Bar("moving", "alerts")
	bar.Expect(int(n))
	defer bar.Finish()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	done := int64(0)
	for {
		waiting, err := lag.Waiting(ctx, m.admin, topics.OutboxGroup(m.group), m.cluster, m.outbox)
		if left, known := waiting[m.outbox].Below(q.TopicID, q.Below); err == nil && known {
			bar.Add(int(max(n-left-done, 0)))
			done = max(done, n-left)
			if left == 0 {
				bar.Finish()
				return m.report(n, fmt.Sprintf("%s moved", plural.Count(n, "alert")))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			bar.Finish()
			return base.Fail(base.ExitFailed, "%s of %s moved; the notifier continues", humanize.Comma(done), plural.Count(n, "alert"))
		}
	}
}

// notRunning returns why no notifier carries out the request now; empty: one does.
func (m *move) notRunning(ctx context.Context) (string, error) {
	group := topics.OutboxGroup(m.group)
	groups, err := m.admin.DescribeGroups(ctx, group)
	if err != nil {
		return "", fmt.Errorf("describe group %s: %w", group, err)
	}
	d := groups[group]
	switch {
	case len(d.Members) == 0:
		return fmt.Sprintf("no notifier is running in group %s: the alerts are moved when one starts", m.group), nil
	case len(d.AssignedPartitions()[m.outbox]) == 0 && (m.config == nil || m.config.Channels.Get(m.from) == nil):
		return fmt.Sprintf("no notifier reads the outbox of %s, which is no longer configured: restart one to move them", m.from), nil
	}
	return "", nil
}

// report prints the result.
func (m *move) report(requested int64, text string) error {
	if m.g.JSON() {
		return base.NewEncoder(m.g.IO.Out).Encode(map[string]any{
			"from": m.from, "to": m.to, "waiting": m.waiting.Total(), "requested": requested, "message": text,
		})
	}
	if text != "" {
		fmt.Fprintln(m.g.IO.Err, term.Visible(text))
	}
	return nil
}
