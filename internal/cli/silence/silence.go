// Package silence is the command silence: it keeps alerts from being sent for a while, lists
// what is silenced, and ends it before its time.
package silence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/silence"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

func New(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "silence", Short: "Keep alerts from being sent for a while", Args: base.Subcommand, RunE: base.Help,
		Long: "Keep alerts from being sent for a while. A silence ends by itself; then each channel is told how\n" +
			"many alerts it suppressed. All daemons of the group follow silences within about a second, and\n" +
			"restarts forget none. The delivery log has every suppressed alert.",
	}
	cmd.AddCommand(newAdd(g), newList(g), newExpire(g))
	return cmd
}

// store is the state topic of a group.
type store struct {
	client *kgo.Client
	group  string
	state  *state.Store
}

// open connects to the state topic of the configured group. The caller closes the client.
func open(ctx context.Context, g *base.Globals) (*store, error) {
	c, err := g.Kafka()
	if err != nil {
		return nil, err
	}
	const most = 1 << 20 // bytes of a batch; a silence has a few hundred
	cl, err := g.Reach(ctx, c, "silence", kafka.DeadLetterOptions(func(string) int32 { return most })...)
	if err != nil {
		return nil, err
	}
	s := state.New(state.Params{Client: cl, Log: dlq.NewLog(cl), Group: c.Group, Logger: slog.New(slog.DiscardHandler)})
	return &store{client: cl, group: c.Group, state: s}, nil
}

// read returns all silences, the one that ends first last.
func (s *store) read(ctx context.Context) ([]silence.Listed, error) {
	var list silence.List
	if err := state.Each(ctx, dlq.NewLog(s.client), s.group, list.Learn); err != nil {
		return nil, s.explain(err)
	}
	all := list.All()
	slices.SortFunc(all, func(a, b silence.Listed) int { return cmp.Or(b.Ends.Compare(a.Ends), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// explain names the remedy of an error.
func (s *store) explain(err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("topic %s is missing: run 'notifier topics create'", topics.State(s.group))
	}
	return err
}

// find returns the silence with an id, which may be abbreviated to a unique prefix.
func find(all []silence.Listed, id string) (silence.Listed, error) {
	var found []silence.Listed
	var ids []string
	for _, one := range all {
		if one.ID == id {
			return one, nil
		}
		if strings.HasPrefix(one.ID, id) {
			found, ids = append(found, one), append(ids, one.ID)
		}
	}
	switch len(found) {
	case 0:
		return silence.Listed{}, fmt.Errorf("there is no silence %s: see 'notifier silence list --all'", term.Visible(id))
	case 1:
		return found[0], nil
	}
	return silence.Listed{}, fmt.Errorf("%s is the beginning of several ids: %s", term.Visible(id), strings.Join(ids, ", "))
}

// completeIDs completes with the ids of the silences that have not ended.
func completeIDs(g *base.Globals) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), 3*time.Second)
		defer cancel()
		st, err := open(ctx, g)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		defer st.client.Close()
		all, err := st.read(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var ids []string
		for _, one := range all {
			if one.Active(time.Now()) && !slices.Contains(given, one.ID) {
				ids = append(ids, cobra.CompletionWithDesc(one.ID, term.Visible(one.MatchText())))
			}
		}
		return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// stamp is a time as people read it.
func stamp(t time.Time) string { return t.Local().Format("02 Jan 15:04 MST") }
