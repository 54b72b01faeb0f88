// Package channels is the command channels: it lists, tests and moves channels.
package channels

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

func New(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "channels", Short: "List, preview and test channels, and move waiting alerts", Args: base.Subcommand, RunE: base.Help,
		Long: "List, preview and test channels, and move waiting alerts. Waiting alerts are in the channel's outbox topic; /readyz\n" +
			"shows their number, age and retention.",
	}
	cmd.AddCommand(newList(g), newPreview(g), newTest(g), newMove(g))
	return cmd
}

func newList(g *base.Globals) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the channels with destination, rules and state", Args: base.NoArgs,
		Long: "List the configured channels with destination, rate limit, concurrency, outbox partitions and rules. If a\n" +
			"notifier is running on http.listen, the state of each channel is shown: healthy; waiting, as its\n" +
			"provider asked; behind, its oldest alert has waited for minutes; circuit_open, its provider fails;\n" +
			"recovering; suspended, which needs an operator.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, faults, err := config.Load(g.Source())
			if err != nil {
				return base.Fail(base.ExitConfig, "%w", err)
			}
			invalid := g.ReportFaults("the configuration", faults) // the list is shown all the same
			return cmp.Or(listChannels(cmd.Context(), g, l), invalid)
		},
	}
}

// channelJSON is the JSON of a channel; the names are a contract. The state is null if no notifier is
// running, the rules are null if they have faults.
type channelJSON struct {
	Channel     string         `json:"channel"`
	Kind        string         `json:"kind"`
	Destination string         `json:"destination"`
	Rules       []string       `json:"rules"`
	Pace        string         `json:"pace"` // "1/s"; empty: no limit
	Burst       int            `json:"burst"`
	Concurrency int            `json:"concurrency"`
	Outbox      string         `json:"outbox"`
	Partitions  int            `json:"partitions"`
	State       *string        `json:"state"`
	Cause       string         `json:"cause,omitempty"`
	Since       *time.Time     `json:"since,omitempty"` // when it was suspended, or was behind first
	Remedy      string         `json:"remedy,omitempty"`
	Until       *time.Time     `json:"until,omitempty"` // when a waiting channel is tried again
	Waiting     *int64         `json:"waiting"`
	Oldest      *time.Time     `json:"oldest,omitempty"`
	KeptUntil   *time.Time     `json:"kept_until,omitempty"`
	Moving      []admin.Moving `json:"moving,omitempty"`
}

func listChannels(ctx context.Context, g *base.Globals, l *config.Loaded) error {
	daemon := base.NewInstance(l.HTTP.Listen)
	now, unreachable := daemon.Readiness(ctx)
	var list []channelJSON
	for _, name := range l.Channels.Names() {
		list = append(list, describeChannel(l, name, l.Channels.Get(name), now))
	}
	if g.JSON() {
		return base.EncodeAll(g.IO.Out, list)
	}
	head := []string{"CHANNEL", "KIND", "DESTINATION", "RATE", "PARALLEL", "PARTS", "RULES"}
	t := term.Table{Head: head, Elastic: []int{2, 6}, Optional: []int{5, 4}}
	if now != nil {
		t.Head = append(t.Head, "WAITING", "STATE")
	}
	for _, c := range list {
		cells := []string{c.Channel, c.Kind, term.OrDash(c.Destination), term.OrDash(c.Pace), fmt.Sprint(c.Concurrency), fmt.Sprint(c.Partitions), rulesCell(c.Rules)}
		if now != nil {
			waiting, state := "–", "–"
			if c.State != nil {
				waiting, state = humanize.Comma(*c.Waiting), *c.State
			}
			cells = append(cells, waiting, state)
		}
		t.Add(cells...)
	}
	t.Write(g.IO.Out, g.Width())
	for _, c := range list {
		if c.Cause != "" {
			fmt.Fprintln(g.IO.Out, "\n"+strings.Join(term.Wrap(term.Visible(c.Channel+": "+c.Cause), g.Width()-2), "\n  "))
		}
		if c.Remedy != "" {
			fmt.Fprintln(g.IO.Out, "  "+strings.Join(term.Wrap(term.Visible("what to do: "+c.Remedy), g.Width()-2), "\n  "))
		}
	}
	if l.Rules == nil {
		term.WriteMessage(g.IO.Err, "the rules of the channels are unknown: the rules file has faults")
	}
	if now == nil {
		term.WriteMessage(g.IO.Err, fmt.Sprintf("no notifier is running on %s (%s): the state is unknown", daemon.Addr, term.Visible(unreachable.Error())))
	}
	return nil
}

// rulesCell returns the names of rules; nil: they are unknown.
func rulesCell(names []string) string {
	switch {
	case names == nil:
		return "?"
	case len(names) == 0:
		return "none"
	}
	return strings.Join(names, " ")
}

func describeChannel(l *config.Loaded, name string, c *registry.Config, now *base.Readiness) channelJSON {
	d := channelJSON{
		Channel: name, Kind: c.Kind, Destination: c.Destination(),
		Burst: c.Dispatch.Pace.Burst, Concurrency: c.Dispatch.Concurrency,
		Outbox: topics.Outbox(l.Kafka.Group, name), Partitions: c.Dispatch.Partitions,
	}
	pace, _ := c.Dispatch.Pace.Rate.MarshalText()
	d.Pace = string(pace)
	if l.Rules != nil {
		d.Rules = []string{}
		for _, r := range l.Rules.Rules() {
			if slices.Contains(r.Channels, name) {
				d.Rules = append(d.Rules, r.Name)
			}
		}
	}
	if s := now.Channel(name); s != nil {
		d.Since, d.Remedy = s.Since, s.Remedy
		d.State, d.Waiting, d.Cause, d.Until, d.Oldest, d.KeptUntil, d.Moving = &s.State, &s.Waiting, s.Cause, s.Until, s.Oldest, s.KeptUntil, s.Moving
	}
	return d
}
