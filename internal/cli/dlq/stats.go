package dlq

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

func newStats(g *base.Globals) *cobra.Command {
	var sel selection
	cmd := &cobra.Command{
		Use:   "stats [ID…]",
		Short: "Group dead letters by what went wrong: start here",
		Long: "Group dead letters by their fingerprint: those that failed for the same reason, on the same channel,\n" +
			"by the same rule. With the filters of 'dlq list' only those are counted.",
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now()
			filter, err := sel.filter(args, now)
			if err != nil {
				return err
			}
			letters, err := openLetters(g, cmd.Context())
			if err != nil {
				return err
			}
			defer letters.client.Close()
			var stats dlq.Stats
			seen, err := filter.each(cmd.Context(), letters.Reader, nil, dlq.Query{Brief: true}, func(e *dlq.Entry) bool {
				stats.Add(e)
				return true
			})
			switch {
			case err != nil:
				return err
			case g.JSON():
				return writeGroups(g, stats.Groups())
			case stats.Count == 0:
				fmt.Fprintln(g.IO.Err, filter.nothing(seen))
				return nil
			}
			showStats(g, &stats, now)
			return nil
		},
	}
	sel.flags(cmd)
	return cmd
}

// groupJSON is a group for programs; the names are a contract.
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
	Rule        string         `json:"rule"`
	FirstSeen   *time.Time     `json:"first_seen"`
	LastSeen    *time.Time     `json:"last_seen"`
	OldestOpen  *time.Time     `json:"oldest_open"`
	ExampleID   string         `json:"example_id"`
	Detail      string         `json:"detail"`
	Newest      bool           `json:"newest"`
}

func writeGroups(g *base.Globals, groups []*dlq.Group) error {
	enc := base.NewEncoder(g.IO.Out)
	for _, p := range groups {
		j := groupJSON{
			Fingerprint: p.Fingerprint, Count: p.Count, States: make(map[string]int), Waiting: p.States[dlq.Waiting], Quarantined: p.States[dlq.Quarantined],
			Reason: string(p.Reason), Cause: string(p.Cause), Scope: string(p.Scope), Channel: p.Channel, Rule: p.Rule,
			FirstSeen: base.Instant(p.First), LastSeen: base.Instant(p.Last), OldestOpen: base.Instant(p.Oldest), ExampleID: p.Example, Detail: p.Detail, Newest: p.Newest,
		}
		for state, n := range p.States {
			j.States[string(state)] = n
		}
		if err := enc.Encode(j); err != nil {
			return err
		}
	}
	return nil
}

// justNow is how recent the first failure of a group is that is marked new.
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
	fmt.Fprintf(g.IO.Out, "%s: %s%s\n%s\n\n", term.Many(int64(s.Count), "dead letter"), strings.Join(states, ", "), oldest, strings.Join(sources, ", "))

	groups := s.Groups()
	t := term.Table{Head: []string{"COUNT", "REASON", "CAUSE", "CHANNEL", "RULE", "FIRST", "LAST", "FINGERPRINT"}, Elastic: []int{3, 4}}
	for _, p := range groups {
		first := term.Age(now.Sub(p.First))
		if now.Sub(p.First) < justNow || p.Newest {
			first += " new"
		}
		t.Add(humanize.Comma(int64(p.Count)), reasonOf(p), term.OrDash(string(p.Cause)), term.OrDash(p.Channel), term.OrDash(p.Rule),
			first, term.Age(now.Sub(p.Last)), brief(p.Fingerprint, 16))
		t.Note(noteOn(p))
	}
	t.Write(g.IO.Out, g.Width())

	worst := groups[0]
	if i := slices.IndexFunc(groups, func(p *dlq.Group) bool { return p.Newest }); i >= 0 {
		worst = groups[i]
	}
	fmt.Fprintf(g.IO.Err, "\nlook at one:  %s dlq show %s\nall of those: %s dlq list --fingerprint %s\n",
		g.Self(), base.Quote(brief(worst.Example, longID)), g.Self(), base.Quote(worst.Fingerprint))
}

// noteOn says which entries of a group are not simply open, and how the last
// one failed.
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
