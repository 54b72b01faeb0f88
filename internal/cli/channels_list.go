package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/topics"
)

func newChannelsList(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the channels: where they send to, which rules lead there, and what they do now", Args: noArgs,
		Long: "List the channels of the configuration: how many attempts are made in a time and at once, how many\n" +
			"partitions the outbox has. Where a notifier answers on http.listen it says what each channel does\n" +
			"now: closed works; open waits for the provider, half_open tries it; latched needs a person.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, faults, err := config.Load(g.source())
			if err != nil {
				return fail(exitConfig, "%w", err)
			}
			// A secret that is not set here is a fault, and no reason to show nothing.
			broken := g.reportFaults("the configuration", faults)
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

func listChannels(ctx context.Context, g *globals, l *config.Loaded) error {
	daemon := newInstance(l.HTTP.Listen)
	now, gone := daemon.readiness(ctx) // nil: nobody says
	var list []channelJSON
	for _, name := range l.Channels.Names() {
		list = append(list, describeChannel(l, name, l.Channels.Get(name), now))
	}
	if g.json() {
		enc := newEncoder(g.io.out)
		for _, c := range list {
			if err := enc.Encode(c); err != nil {
				return err
			}
		}
		return nil
	}
	head := []string{"CHANNEL", "KIND", "DESTINATION", "PACE", "AT ONCE", "PARTS", "RULES"}
	t := table{head: head, elastic: []int{2, 6}}
	if now != nil {
		t.head = append(t.head, "WAITING", "STATE")
	}
	for _, c := range list {
		cells := []string{c.Channel, c.Kind, orDash(c.Destination), orDash(c.Pace), fmt.Sprint(c.Concurrency), fmt.Sprint(c.Partitions), rulesText(c.Rules)}
		if now != nil {
			waiting, state := "–", "–"
			if c.State != nil {
				waiting, state = humanize.Comma(*c.Waiting), *c.State
			}
			cells = append(cells, waiting, state)
		}
		t.add(cells...)
	}
	t.write(g.io.out, g.width())
	for _, c := range list {
		if c.Cause != "" {
			fmt.Fprintln(g.io.out, "\n"+strings.Join(folded(visible(c.Channel+": "+c.Cause), g.width()-2), "\n  "))
		}
	}
	if now == nil {
		fmt.Fprintf(g.io.err, "no notifier answers on %s (%s): what they do now is not known\n", daemon.addr, visible(gone.Error()))
	}
	return nil
}

func describeChannel(l *config.Loaded, name string, c *registry.Config, now *readiness) channelJSON {
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
	if s := now.channel(name); s != nil {
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
