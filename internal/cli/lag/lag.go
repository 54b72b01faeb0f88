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

// flags are what `notifier lag` takes.
type flags struct {
	all, watch, partitions bool
	interval               time.Duration
}

func New(g *base.Globals) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "lag [GROUP…]",
		Short: "Show what waits for consumer groups, ours and others', the worst first",
		Long: "Show what waits for consumer groups, in records and in time, the worst first: ours and those that\n" +
			"lag.groups in the configuration names, or the groups given. It joins no group and commits nothing.\n" +
			"Rows with ! are bad: the oldest record has waited for ten minutes, nobody reads what waits, or it\n" +
			"was deleted unread or soon is. Rows with · are late by a minute, or not all is known of them.",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.all && len(args) > 0:
				return base.Misused("--all shows every group: leave it out, or the names")
			case slices.Contains(args, ""):
				return base.Misused("a group has a name")
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
			s, err := v.look(ctx)
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
	flags.BoolVar(&f.watch, "watch", false, "look again and again, until it is stopped")
	flags.DurationVar(&f.interval, "interval", 5*time.Second, "how often to look, with --watch")
	flags.BoolVar(&f.partitions, "partitions", false, "a row for each partition")
	return cmd
}

// view is what one run of the command looks at, and how it shows it.
type view struct {
	g      *base.Globals
	f      flags
	client *kgo.Client
	adm    *kadm.Client
	looker *lag.Looker
	ours   string   // the group of the sources
	named  []string // on the command line
	also   []string // in the configuration
	every  bool
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
	v.looker = lag.NewLooker(cl, dlq.NewLog(cl), md.Cluster)
	return v, nil
}

// lookFor bounds one look, for whose end someone waits.
const lookFor = 15 * time.Second

// look looks once.
func (v *view) look(ctx context.Context) (*lag.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	w := lag.Want{Groups: slices.Concat(v.named, v.also), Every: v.every, Kept: true}
	if len(v.named) == 0 {
		w.Groups = append(w.Groups, v.ours, topics.OutboxGroup(v.ours))
	}
	// What our groups read is known also where nothing was committed for it.
	there, err := v.adm.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	for _, topic := range there.Names() {
		if group := v.reader(topic); slices.Contains(w.Groups, group) {
			w.Topics = append(w.Topics, lag.Topic{Name: topic, Group: group})
		}
	}
	return v.looker.Look(ctx, w)
}

// reader is the group of ours that reads a topic; empty: none.
func (v *view) reader(topic string) string {
	if _, err := topics.Parse(topic); err == nil || topic == topics.Replay(v.ours) {
		return v.ours
	}
	if channel, ok := strings.CutPrefix(topic, topics.Outbox(v.ours, "")); ok && !strings.Contains(channel, ".") {
		return topics.OutboxGroup(v.ours)
	}
	return ""
}

// missing says which groups do not exist; an error for one that was named.
func (v *view) missing(ctx context.Context, s *lag.Snapshot) error {
	var all []string
	var first error
	for i := range s.Groups {
		g := &s.Groups[i]
		named := slices.Contains(v.named, g.Name)
		switch {
		case g.Err != nil && named && first == nil:
			first = base.Fail(base.ExitFailed, "%s", g.Err) // it stands in its row
		case g.State != lag.Dead:
		case named:
			if all == nil {
				listed, _ := v.adm.ListGroups(ctx)
				all = listed.Groups()
			}
			text := "there is no group " + term.Visible(g.Name)
			if near := suggest.Closest(g.Name, all); near != "" {
				text += ": did you mean " + term.Visible(near) + "?"
			} else {
				text += fmt.Sprintf("; '%s lag --all' shows those there are", v.g.Self())
			}
			if first != nil {
				fmt.Fprintln(v.g.IO.Err, first)
			}
			first = base.Fail(base.ExitFailed, "%s", text)
		case slices.Contains(v.also, g.Name):
			fmt.Fprintf(v.g.IO.Err, "there is no group %s, which lag.groups names, or its offsets have expired\n", term.Visible(g.Name))
		default:
			fmt.Fprintf(v.g.IO.Err, "there is no group %s: no notifier has run in it, or its offsets have expired\n", term.Visible(g.Name))
		}
	}
	return first
}
