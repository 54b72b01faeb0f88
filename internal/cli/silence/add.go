package silence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/silence"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/term"
)

const aboutAdd = `Keep alerts from being sent that fulfil all conditions. A condition is NAME=VALUE or NAME!=VALUE, in
which * means any characters. NAME is one of

  rule severity channel topic type   of the alert
  key group                          the whole, or one part of it
  account_id, event.account_id       a part of the key, as the rules file has it
  strategy                           the label of a field

What an alert does not have is never equal. The command says how many alerts of the last 24 hours
it would have kept from being sent. Critical alerts need --critical.`

// add is one run of 'silence add'.
type add struct {
	g                *base.Globals
	lasts, until     string
	comment          string
	critical, dryRun bool
	match            []silence.Matcher
	seen             *preview
	created          *silence.Silence
}

func newAdd(g *base.Globals) *cobra.Command {
	a := add{g: g}
	cmd := &cobra.Command{
		Use: "add MATCH… --for D -m TEXT", Short: "Silence alerts until a time", Long: aboutAdd,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.check(args, time.Now()); err != nil {
				return base.Misused("%w", err)
			}
			return a.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.lasts, "for", "", "how long: a `DURATION` such as 2h or 1d, at most 7d")
	f.StringVar(&a.until, "until", "", "when it ends: a `TIME` such as 18:30, 2026-11-23T18:30 or one of RFC 3339")
	f.StringVarP(&a.comment, "comment", "m", "", "why")
	f.BoolVar(&a.critical, "critical", false, "critical alerts too")
	f.BoolVar(&a.dryRun, "dry-run", false, "say what it would have kept from being sent, and do nothing")
	for _, flag := range []string{"for", "until", "comment"} {
		base.Complete(cmd, flag, base.NoWords)
	}
	cmd.ValidArgsFunction = a.complete
	return cmd
}

// complete completes the names, and the values of those with known ones.
func (a *add) complete(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	name, _, valued := strings.Cut(prefix, "=")
	var values []string
	directive := cobra.ShellCompDirectiveNoFileComp
	switch {
	case !valued:
		for _, name := range silence.Reserved() {
			values = append(values, name+"=")
		}
		return values, directive | cobra.ShellCompDirectiveNoSpace
	case name == "rule":
		values, directive = a.g.RuleNames(cmd, args, prefix)
	case name == "channel":
		values, directive = a.g.ChannelNames(cmd, args, prefix)
	case name == "severity":
		values = []string{"info", "warning", "critical"}
	}
	for i := range values {
		values[i] = name + "=" + values[i]
	}
	return values, directive
}

// check makes the silence, or says what is missing.
func (a *add) check(args []string, now time.Time) error {
	var faults []error
	for _, text := range args {
		m, err := silence.ParseMatcher(text)
		faults = append(faults, err)
		a.match = append(a.match, m)
	}
	ends, err := a.ends(now)
	faults = append(faults, err)
	if err := errors.Join(faults...); err != nil {
		return err
	}
	a.created, err = silence.New(a.match, now, ends, base.User(), a.comment, a.critical)
	return err
}

func (a *add) ends(now time.Time) (time.Time, error) {
	switch {
	case (a.lasts == "") == (a.until == ""):
		return now, errors.New("write when it ends: --for 2h or --until 18:30")
	case a.lasts != "":
		d, err := duration.Parse(a.lasts)
		if err != nil || d <= 0 {
			return now, fmt.Errorf("--for %q: write a duration such as 30m, 2h or 1d", a.lasts)
		}
		return now.Add(d), nil
	}
	return parseUntil(a.until, now)
}

// parseUntil reads a time, of today or tomorrow where it has no date, in the local zone where
// it has none.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	clock, err := time.Parse("15:04", text)
	if err != nil {
		return now, fmt.Errorf("--until %q: write a time such as 18:30, 2026-11-23T18:30 or 2026-11-23T18:30:00Z", text)
	}
	y, m, d := now.Date()
	t := time.Date(y, m, d, clock.Hour(), clock.Minute(), 0, 0, now.Location())
	if !t.After(now) {
		t = time.Date(y, m, d+1, clock.Hour(), clock.Minute(), 0, 0, now.Location())
	}
	return t, nil
}

func (a *add) run(ctx context.Context) error {
	st, err := open(ctx, a.g)
	if err != nil {
		return err
	}
	defer st.client.Close()
	all, err := st.read(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	if a.seen, err = look(ctx, st, a.created, now); err != nil {
		return err
	}
	if !a.g.JSON() {
		a.seen.write(a.g, a.match)
	}
	if n := a.seen.Critical; n > 0 && !a.critical {
		return base.Fail(base.ExitFailed, "not silenced: %s; --critical silences %s too, severity!=critical only the others",
			plural.Verb(n, "alert would have been critical", "alerts would have been critical"), plural.VerbOf(n, "it", "them"))
	}
	if a.dryRun {
		fmt.Fprintln(a.g.IO.Err, "dry run: nothing was done")
	} else {
		records := []state.Record{a.created.Record()}
		for _, one := range all {
			if one.Ends.Add(silence.Kept).Before(now) {
				records = append(records, silence.Forgotten(one.ID))
			}
		}
		if err := st.state.Write(ctx, records...); err != nil {
			return st.explain(err)
		}
	}
	if a.g.JSON() {
		return base.NewEncoder(a.g.IO.Out).Encode(struct {
			object
			DryRun  bool     `json:"dry_run,omitempty"`
			Preview *preview `json:"preview"`
		}{objectOf(silence.Listed{Silence: a.created, Channels: map[string]int{}}, now), a.dryRun, a.seen})
	}
	if a.dryRun {
		return nil
	}
	_, err = fmt.Fprintf(a.g.IO.Out, "%s until %s: %s\n", a.created.ID, stamp(a.created.Ends), term.Visible(a.created.MatchText()))
	return err
}
