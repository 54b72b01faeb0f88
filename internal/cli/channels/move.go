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
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

const aboutMove = `Send what waits for channel OLD to channel NEW: everything that is in OLD's outbox now and
was not delivered. What comes later still goes to OLD: change its rules for that. OLD may be
a channel that is configured no more; NEW must be configured.

The notifier does it, and must be running: what is written is one request, to the group's
replay topic. The order is kept, expired alerts are not sent there either, and each alert is
moved once, whoever dies in between and however often this is asked for. The command waits
until it is done; when it is interrupted the notifier goes on.`

// move is what 'channels move' was asked for, and what it knows.
type move struct {
	base.Consent
	noWait   bool
	from, to string

	g       *base.Globals
	client  *kgo.Client
	admin   *kadm.Client
	group   string
	cluster string
	config  *config.Loaded // nil: there is none
	outbox  string
	waiting lag.Partitions
}

func newMove(g *base.Globals) *cobra.Command {
	m := move{g: g}
	cmd := &cobra.Command{
		Use: "move OLD NEW", Short: "Send what waits for one channel to another", Long: aboutMove,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return base.Misused("%s takes two channels: whose alerts are moved, and where to", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			m.from, m.to = args[0], args[1]
			return m.run(cmd.Context())
		},
	}
	m.Consent.Flags(cmd)
	cmd.Flags().BoolVar(&m.noWait, "no-wait", false, "do not wait until it is done")
	return cmd
}

func (m *move) run(ctx context.Context) error {
	if err := m.prepare(ctx); err != nil {
		return err
	}
	defer m.client.Close()
	if err := m.look(ctx); err != nil {
		return err
	}
	n := m.waiting.Total()
	if n == 0 {
		return m.report(0, "nothing waits for "+m.from)
	}
	if err := m.plan(ctx, n); err != nil {
		return err
	}
	if ok, err := m.Consent.Ask(ctx, m.g, fmt.Sprintf("move %s to %s", term.Many(n, "alert"), m.to)); !ok {
		if err == nil {
			err = m.report(0, "")
		}
		return err
	}
	q := m.request()
	if err := m.client.ProduceSync(ctx, q.Record(m.group)).FirstErr(); err != nil {
		return fmt.Errorf("ask for it in %s: %w", topics.Replay(m.group), err)
	}
	return m.await(ctx, q, n)
}

// prepare finds what is misused, and a cluster that answers.
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
	return base.Misused("there is no channel %s, there are %s", name, strings.Join(known, ", "))
}

// look asks what waits, and for the topics that are needed.
func (m *move) look(ctx context.Context) error {
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
		return fmt.Errorf("look into %s: %w", m.outbox, m.waiting.Err)
	case errors.Is(waiting[to].Err, kerr.UnknownTopicOrPartition):
		return base.Fail(base.ExitFailed, "the outbox of %s is missing (topic %s): run '%s topics create'", m.to, to, m.g.Self())
	}
	open, err := control.Open(ctx, m.admin, dlq.NewLog(m.client), m.group)
	if err != nil {
		return fmt.Errorf("read what was asked for in %s: %w", topics.Replay(m.group), err)
	}
	for _, q := range open {
		left, known := m.waiting.Below(q.TopicID, q.Below)
		if q.From == m.from && q.To != m.to && known && left > 0 {
			return base.Fail(base.ExitFailed, "%s asked to move what waits for %s to %s, and %s of it %s: it goes there", q.By, m.from, q.To,
				term.Many(left, "alert"), term.VerbOf(left, "is left", "are left"))
		}
	}
	return nil
}

// noOutbox says which outboxes there are.
func (m *move) noOutbox(ctx context.Context) error {
	details, err := m.admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("look for outboxes: %w", err)
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

// plan says what is about to be moved, and what it means.
func (m *move) plan(ctx context.Context, n int64) error {
	oldest, err := lag.Oldest(ctx, dlq.NewLog(m.client), m.outbox, m.waiting)
	if err != nil {
		return err
	}
	if m.g.JSON() {
		return nil
	}
	out := m.g.IO.Err
	fmt.Fprintf(out, "%s for %s", term.Verb64(n, "alert waits", "alerts wait"), m.from)
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
			fmt.Fprintf(out, "%s takes %s at its pace, alerts that come meanwhile wait behind them\n", m.to, channel.Duration(takes))
		}
	}
	var both []string
	for _, r := range m.config.Rules.Rules() {
		if slices.Contains(r.Channels, m.from) && slices.Contains(r.Channels, m.to) {
			both = append(both, r.Name)
		}
	}
	if len(both) > 0 {
		rules := "rule " + both[0] + " leads"
		if len(both) > 1 {
			rules = "rules " + strings.Join(both, ", ") + " lead"
		}
		fmt.Fprintf(out, "%s to both: %s has had these alerts, and gets them again\n", rules, m.to)
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

// awaitEvery is how often it is asked how far the notifier has come.
const awaitEvery = 500 * time.Millisecond

// await waits until nothing is left of what was asked for.
func (m *move) await(ctx context.Context, q *control.Request, n int64) error {
	if text, err := m.nobody(ctx); err != nil || text != "" {
		return errors.Join(err, m.report(n, text))
	}
	if m.noWait {
		return m.report(n, "asked for: the notifier moves them")
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
				return m.report(n, fmt.Sprintf("%s moved: nothing that waited for %s then waits for it now", term.Many(n, "alert"), m.from))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			bar.Finish()
			return base.Fail(base.ExitFailed, "%s of %s moved; it was asked for, and the notifier goes on", humanize.Comma(done), term.Many(n, "alert"))
		}
	}
}

// nobody says why nobody carries the request out for now; empty: someone does.
func (m *move) nobody(ctx context.Context) (string, error) {
	group := topics.OutboxGroup(m.group)
	groups, err := m.admin.DescribeGroups(ctx, group)
	if err != nil {
		return "", fmt.Errorf("look at group %s: %w", group, err)
	}
	d := groups[group]
	switch {
	case len(d.Members) == 0:
		return fmt.Sprintf("no notifier is running in group %s: they are moved when one is", m.group), nil
	case len(d.AssignedPartitions()[m.outbox]) == 0 && (m.config == nil || m.config.Channels.Get(m.from) == nil):
		return fmt.Sprintf("no notifier reads the outbox of %s, which is configured no more: restart one, and it moves them", m.from), nil
	}
	return "", nil
}

// report ends the command: in words, or as an object.
func (m *move) report(asked int64, text string) error {
	if m.g.JSON() {
		return base.NewEncoder(m.g.IO.Out).Encode(map[string]any{
			"from": m.from, "to": m.to, "waiting": m.waiting.Total(), "asked": asked, "says": text,
		})
	}
	if text != "" {
		fmt.Fprintln(m.g.IO.Err, term.Visible(text))
	}
	return nil
}
