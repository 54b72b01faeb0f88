package channels

import (
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

func newList(g *base.Globals) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the channels: where they send to, which rules lead there, and what they do now", Args: base.NoArgs,
		Long: "List the channels of the configuration: how many attempts are made in a time and at once, how many\n" +
			"partitions the outbox has. Where a notifier answers on http.listen it says what each channel does\n" +
			"now: healthy works; circuit_open waits for the provider, recovering tries it; suspended needs an operator.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, faults, err := config.Load(g.Source())
			if err != nil {
				return base.Fail(base.ExitConfig, "%w", err)
			}
			// A secret that is not set here is a fault, and no reason to show nothing.
			broken := g.ReportFaults("the configuration", faults)
			if err := listChannels(cmd.Context(), g, l); err != nil {
				return err
			}
			return broken
		},
	}
}

// channelJSON is a channel for programs; the names are a contract. What only a
// running notifier knows is null where none answers.
type channelJSON struct {
	Channel     string     `json:"channel"`
	Kind        string     `json:"kind"`
	Destination string     `json:"destination"`
	Rules       []string   `json:"rules"`
	Pace        string     `json:"pace"` // "1/s"; empty: no bound
	Burst       int        `json:"burst"`
	Concurrency int        `json:"concurrency"`
	Outbox      string     `json:"outbox"`
	Partitions  int        `json:"partitions"`
	State       *string    `json:"state"`
	Cause       string     `json:"cause,omitempty"`
	Waiting     *int64     `json:"waiting"`
	Oldest      *time.Time `json:"oldest,omitempty"`
	KeptUntil   *time.Time `json:"kept_until,omitempty"`
	// Moving says where what waited goes instead, and who asked for that.
	Moving []admin.Moving `json:"moving,omitempty"`
}

func listChannels(ctx context.Context, g *base.Globals, l *config.Loaded) error {
	daemon := base.NewInstance(l.HTTP.Listen)
	now, gone := daemon.Readiness(ctx) // nil: nobody says
	var list []channelJSON
	for _, name := range l.Channels.Names() {
		list = append(list, describeChannel(l, name, l.Channels.Get(name), now))
	}
	if g.JSON() {
		enc := base.NewEncoder(g.IO.Out)
		for _, c := range list {
			if err := enc.Encode(c); err != nil {
				return err
			}
		}
		return nil
	}
	head := []string{"CHANNEL", "KIND", "DESTINATION", "PACE", "AT ONCE", "PARTS", "RULES"}
	t := term.Table{Head: head, Elastic: []int{2, 6}}
	if now != nil {
		t.Head = append(t.Head, "WAITING", "STATE")
	}
	for _, c := range list {
		cells := []string{c.Channel, c.Kind, term.OrDash(c.Destination), term.OrDash(c.Pace), fmt.Sprint(c.Concurrency), fmt.Sprint(c.Partitions), rulesText(c.Rules)}
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
	}
	if now == nil {
		fmt.Fprintf(g.IO.Err, "no notifier answers on %s (%s): what they do now is not known\n", daemon.Addr, term.Visible(gone.Error()))
	}
	return nil
}

func describeChannel(l *config.Loaded, name string, c *registry.Config, now *base.Readiness) channelJSON {
	d := channelJSON{
		Channel: name, Kind: c.Kind, Destination: c.Destination(), Rules: []string{},
		Burst: c.Dispatch.Pace.Burst, Concurrency: c.Dispatch.Concurrency,
		Outbox: topics.Outbox(l.Kafka.Group, name), Partitions: c.Dispatch.Partitions,
	}
	pace, _ := c.Dispatch.Pace.Rate.MarshalText()
	d.Pace = string(pace)
	if l.Rules != nil {
		for _, r := range l.Rules.Rules() {
			if slices.Contains(r.Channels, name) {
				d.Rules = append(d.Rules, r.Name)
			}
		}
	}
	if s := now.Channel(name); s != nil {
		d.State, d.Waiting, d.Cause, d.Oldest, d.KeptUntil, d.Moving = &s.State, &s.Waiting, s.Cause, s.Oldest, s.KeptUntil, s.Moving
	}
	return d
}

// rulesText names the rules, as far as there is room for them; none is worth
// saying: the channel gets nothing.
func rulesText(rules []string) string {
	if len(rules) == 0 {
		return "none"
	}
	return strings.Join(rules, " ")
}
