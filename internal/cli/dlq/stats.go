package dlq

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

func newStats(g *base.Globals) *cobra.Command {
	var sel selection
	cmd := &cobra.Command{
		Use:   "stats [ID…]",
		Short: "Group dead letters by cause: start here",
		Long: "Group dead letters by fingerprint: same reason, cause, channel and detail, whatever\n" +
			"the rule. The filters are those of 'dlq list'.",
		RunE: func(cmd *cobra.Command, ids []string) error {
			return sel.withStore(g, cmd, ids, func(ctx context.Context, st *store, f *filter) error {
				var stats dlq.Stats
				seen, err := f.each(ctx, st.Reader, nil, dlq.Query{Brief: true}, func(e *dlq.Entry) bool {
					stats.Add(e)
					return true
				})
				switch {
				case err != nil:
					return err
				case g.JSON():
					return writeGroups(g, stats.Groups())
				case stats.Count == 0:
					fmt.Fprintln(g.IO.Err, f.noneText(seen))
				default:
					showStats(g, &stats, time.Now())
				}
				return nil
			})
		},
	}
	sel.flags(cmd)
	sel.complete(g, cmd)
	cmd.ValidArgsFunction = completeID(g)
	return cmd
}

// groupJSON is the JSON of a group; the names are a contract.
type groupJSON struct {
	Fingerprint string         `json:"fingerprint"`
	Count       int            `json:"count"`
	States      map[string]int `json:"states"`
	Waiting     int            `json:"waiting"`
	Quarantined int            `json:"quarantined"`
	Reason      string         `json:"reason"`
	Cause       string         `json:"cause"`
	Scope       string         `json:"scope"`
	Channel     string         `json:"channel"`
	Rules       []string       `json:"rules"`
	FirstSeen   *time.Time     `json:"first_seen"`
	LastSeen    *time.Time     `json:"last_seen"`
	OldestOpen  *time.Time     `json:"oldest_open"`
	ExampleID   string         `json:"example_id"`
	Detail      string         `json:"detail"`
	Newest      bool           `json:"newest"`
}

func writeGroups(g *base.Globals, groups []*dlq.Group) error {
	var list []groupJSON
	for _, p := range groups {
		j := groupJSON{
			Fingerprint: p.Fingerprint, Count: p.Count, States: make(map[string]int), Waiting: p.States[dlq.Waiting], Quarantined: p.States[dlq.Quarantined],
			Reason: string(p.Reason), Cause: string(p.Cause), Scope: string(p.Scope), Channel: p.Channel, Rules: slices.Concat([]string{}, p.Rules),
			FirstSeen: base.OptionalTime(p.First), LastSeen: base.OptionalTime(p.Last), OldestOpen: base.OptionalTime(p.Oldest), ExampleID: p.Example, Detail: p.Detail, Newest: p.Newest,
		}
		for state, n := range p.States {
			j.States[string(state)] = n
		}
		list = append(list, j)
	}
	return base.EncodeAll(g.IO.Out, list)
}

// justNow is the age of the first failure below which a group is marked new.
const justNow = time.Hour

func showStats(g *base.Globals, s *dlq.Stats, now time.Time) {
	var states, sources []string
	for _, state := range dlq.States() {
		if n := s.States[state]; n > 0 {
			states = append(states, humanize.Comma(int64(n))+" "+string(state))
		}
	}
	for _, name := range topics.All() {
		if n := s.Topics[string(name)]; n > 0 {
			sources = append(sources, humanize.Comma(int64(n))+" of "+string(name))
		}
	}
	oldest := ""
	if !s.Oldest.IsZero() {
		oldest = ", the oldest " + term.Age(now.Sub(s.Oldest)) + " old"
	}
	fmt.Fprintf(g.IO.Out, "%s: %s%s\n%s\n\n", plural.Count(s.Count, "dead letter"), strings.Join(states, ", "), oldest, strings.Join(sources, ", "))

	groups := s.Groups()
	t := term.Table{Head: []string{"COUNT", "REASON", "CAUSE", "CHANNEL", "RULES", "FIRST", "LAST", "FINGERPRINT"}, Elastic: []int{3, 4}, Optional: []int{1, 6}, Right: []int{0}}
	for _, p := range groups {
		first := term.Age(now.Sub(p.First))
		if now.Sub(p.First) < justNow || p.Newest {
			first += " new"
		}
		t.Add(humanize.Comma(int64(p.Count)), reasonOf(p), term.OrDash(string(p.Cause)), term.OrDash(p.Channel), term.OrDash(strings.Join(p.Rules, " ")),
			first, term.Age(now.Sub(p.Last)), brief(p.Fingerprint, 16))
		t.Note(noteOn(p))
	}
	t.Write(g.IO.Out, g.Width())

	worst := groups[0]
	if i := slices.IndexFunc(groups, func(p *dlq.Group) bool { return p.Newest }); i >= 0 {
		worst = groups[i]
	}
	fmt.Fprintf(g.IO.Err, "\nshow one: %s dlq show %s\nlist all: %s dlq list --fingerprint %s\n",
		g.Self(), base.Quote(brief(worst.Example, longID)), g.Self(), base.Quote(worst.Fingerprint))
}

// noteOn returns the states of a group other than open, and the last detail.
func noteOn(p *dlq.Group) string {
	var list []string
	for _, state := range []dlq.State{dlq.Waiting, dlq.Quarantined, dlq.Resolved, dlq.Discarded} {
		if n := p.States[state]; n > 0 {
			list = append(list, humanize.Comma(int64(n))+" "+string(state))
		}
	}
	text := strings.Join(list, ", ")
	if text != "" && p.Detail != "" {
		text += " · "
	}
	return text + p.Detail
}
