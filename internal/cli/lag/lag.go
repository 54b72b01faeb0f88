// Package lag is the command lag: the lag of consumer groups, once or redrawn at
// intervals.
package lag

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/lag"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

// flags are the flags of lag.
type flags struct {
	all, watch, partitions bool
	interval               time.Duration
}

func New(g *base.Globals) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "lag [GROUP…]",
		Short: "Show the lag of consumer groups, ours and others', the worst first",
		Long: "Show the lag of consumer groups in records and in time, the worst first: of ours and of those in\n" +
			"lag.groups of the configuration, or of the given groups. It joins no group and commits nothing.\n" +
			"Rows with ! are bad: the oldest record has waited for ten minutes, the group has no members, or\n" +
			"records were or will soon be deleted unread. Rows with · are late by a minute, or some lag is unknown.",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.all && len(args) > 0:
				return base.Misused("use either --all or group names")
			case slices.Contains(args, ""):
				return base.Misused("a group name is empty")
			case f.interval < time.Second:
				return base.Misused("--interval %s is less than a second", f.interval)
			}
			ctx := cmd.Context()
			v, err := newView(g, ctx, f, args)
			if err != nil {
				return err
			}
			defer v.client.Close()
			if f.watch {
				return v.watch(ctx)
			}
			s, err := v.sample(ctx)
			if err != nil {
				return err
			}
			if err := v.show(s); err != nil {
				return err
			}
			return v.missing(ctx, s)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "every group on the cluster")
	flags.BoolVar(&f.watch, "watch", false, "refresh until interrupted")
	flags.DurationVar(&f.interval, "interval", 5*time.Second, "refresh interval of --watch")
	flags.BoolVar(&f.partitions, "partitions", false, "a row for each partition")
	return cmd
}

// view is one run of the command.
type view struct {
	g       *base.Globals
	f       flags
	client  *kgo.Client
	adm     *kadm.Client
	sampler *lag.Sampler
	ours    string   // our group of the sources
	named   []string // groups of the command line
	also    []string // groups of the configuration
	every   bool
}

func newView(g *base.Globals, ctx context.Context, f flags, named []string) (*view, error) {
	l, err := g.Part("kafka", "lag")
	if err != nil {
		return nil, err
	}
	cl, err := g.Reach(ctx, &l.Kafka, "lag")
	if err != nil {
		return nil, err
	}
	v := &view{g: g, f: f, client: cl, adm: kadm.NewClient(cl), ours: l.Kafka.Group, named: named, every: f.all}
	if len(named) == 0 && !f.all {
		v.also, v.every = l.Lag.Named(), l.Lag.Every()
	}
	md, err := v.adm.BrokerMetadata(ctx)
	if err != nil {
		cl.Close()
		return nil, err
	}
	v.sampler = lag.NewSampler(cl, dlq.NewLog(cl), md.Cluster)
	return v, nil
}

// sampleTimeout bounds one sample.
const sampleTimeout = 15 * time.Second

// sample takes one sample.
func (v *view) sample(ctx context.Context) (*lag.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	w := lag.Want{Groups: slices.Concat(v.named, v.also), Every: v.every, Kept: true}
	if len(v.named) == 0 {
		w.Groups = append(w.Groups, v.ours, topics.OutboxGroup(v.ours))
	}
	// The topics of our groups, also without a commit.
	details, err := v.adm.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	for _, topic := range details.Names() {
		if group := v.reader(topic); slices.Contains(w.Groups, group) {
			w.Topics = append(w.Topics, lag.Topic{Name: topic, Group: group})
		}
	}
	return v.sampler.Sample(ctx, w)
}

// reader returns our group that reads a topic; empty: none.
func (v *view) reader(topic string) string {
	if _, err := topics.Parse(topic); err == nil || topic == topics.Replay(v.ours) {
		return v.ours
	}
	if channel, ok := strings.CutPrefix(topic, topics.Outbox(v.ours, "")); ok && !strings.Contains(channel, ".") {
		return topics.OutboxGroup(v.ours)
	}
	return ""
}

// missing reports groups that do not exist. It returns the last error of a named group.
func (v *view) missing(ctx context.Context, s *lag.Snapshot) error {
	var failed error
	report := func(err error) {
		if failed != nil {
			fmt.Fprintln(v.g.IO.Err, failed)
		}
		failed = err
	}
	for _, g := range s.Groups {
		named, name := slices.Contains(v.named, g.Name), term.Visible(g.Name)
		switch {
		case g.Err != nil && named:
			if failed == nil {
				failed = base.Fail(base.ExitFailed, "%s", g.Err) // also in its row
			}
		case g.State != lag.Dead:
		case named:
			listed, _ := v.adm.ListGroups(ctx)
			if near := suggest.Closest(g.Name, listed.Groups()); near != "" {
				report(base.Fail(base.ExitFailed, "there is no group %s: did you mean %s?", name, term.Visible(near)))
			} else {
				report(base.Fail(base.ExitFailed, "there is no group %s; '%s lag --all' lists all groups", name, v.g.Self()))
			}
		case slices.Contains(v.also, g.Name):
			fmt.Fprintf(v.g.IO.Err, "group %s of lag.groups does not exist, or its offsets have expired\n", name)
		default:
			fmt.Fprintf(v.g.IO.Err, "group %s does not exist: no notifier has run in it, or its offsets have expired\n", name)
		}
	}
	return failed
}
