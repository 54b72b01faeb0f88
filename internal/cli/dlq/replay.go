package dlq

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/term"
)

const aboutReplay = `Ask the notifier to send dead letters again: those with the ids, or the beginnings of ids,
that are given, and those that the filters mean. Each goes where it was going, as it was
raised; a record that failed before its rules ran goes through the rules.

The plan comes first. What is written is one request for each entry, to the group's replay
topic, and nothing else; the notifier handles them one after the other, and an entry that
fails again is a dead letter again. Whatever is asked for twice is sent once.

A cause that fails again while requests are still being made stops the command, where it
looks: with --rate, --canary or --wait.`

// replaying is what 'dlq replay' was asked for.
type replaying struct {
	selection
	base.Consent
	ask     replay.Options
	payload string
	rate    rateFlag
	canary  int
	wait    bool
}

func newReplay(g *base.Globals) *cobra.Command {
	var r replaying
	cmd := &cobra.Command{
		Use:   "replay [ID…]",
		Short: "Send dead letters again",
		Long:  aboutReplay,
		RunE:  func(cmd *cobra.Command, ids []string) error { return runReplay(g, cmd.Context(), &r, ids) },
	}
	r.selection.flags(cmd)
	r.allFlag(cmd)
	f := cmd.Flags()
	f.BoolVar(&r.ask.Rematch, "rematch", false, "through the rules again, instead of the alert as it was raised")
	f.StringVar(&r.ask.To, "to", "", "to this `CHANNEL` instead of its own")
	f.StringVar(&r.payload, "payload", "", "one dead letter, with its value replaced by `FILE` (-: standard input); the original is kept")
	f.BoolVar(&r.ask.Force, "force", false, "quarantined ones too, and a payload that is no event")
	f.BoolVar(&r.ask.Ambiguous, "include-ambiguous", false, "those too that may have been delivered")
	f.Var(&r.rate, "rate", "at most so many, such as 5/s or 30/m (default: as fast as it goes)")
	f.IntVar(&r.canary, "canary", 0, "send `N` first, and the others if none of these fails with a cause that others have")
	f.BoolVar(&r.wait, "wait", false, "wait until each is resolved or failed again; exit 1 if any failed again")
	f.StringVarP(&r.ask.Comment, "comment", "m", "", "`TEXT` for the audit trail: why")
	r.Consent.Flags(cmd)
	return cmd
}

// prepare finds what is misused before anything is looked at, and reads the
// payload.
func (r *replaying) prepare(g *base.Globals, ids []string) (*filter, error) {
	filter, err := r.filter(ids, time.Now())
	switch {
	case err != nil:
		return nil, err
	case r.payload != "" && len(ids) != 1:
		return nil, base.Misused("--payload replaces the value of one dead letter: give its id")
	case r.canary < 0:
		return nil, base.Misused("--canary %d: give how many dead letters to send first", r.canary)
	}
	err = cmp.Or(filter.must("send again"), r.Possible(g), checkChannel(g, r.ask.To))
	if err == nil && r.payload != "" {
		r.ask.Edited, err = readPayload(g, r.payload, r.ask.Force)
	}
	r.ask.By, r.ask.Run = base.User(), replay.NewRun(time.Now())
	return filter, err
}

// replay makes the plan, shows it, asks and carries it out.
func runReplay(g *base.Globals, ctx context.Context, r *replaying, ids []string) error {
	filter, err := r.prepare(g, ids)
	if err != nil {
		return err
	}
	found, err := openLetters(g, ctx, replay.ClientOptions(kafka.MaxEnvelope)...)
	if err != nil {
		return err
	}
	defer found.client.Close()
	// What is written from here on is of the time of the run.
	spans, err := found.Ends(ctx, filter.sources())
	if err != nil {
		return err
	}
	plan := replay.NewPlan(r.ask)
	seen, err := filter.each(ctx, found.Reader, spans, dlq.Query{Brief: true}, func(e *dlq.Entry) bool {
		plan.Add(e)
		return true
	})
	if err != nil {
		return err
	}
	plan.Close()
	if plan.Len() == 0 {
		return nothingToSend(plan, filter.nothing(seen))
	}
	if err := showPlan(g, plan, r); err != nil {
		return err
	}
	run := replay.Runner{
		Reader: found.Reader, Client: found.client, Plan: plan, Spans: spans,
		Rate: float64(r.rate.Rate), Canary: r.canary, Wait: r.wait,
	}
	if !r.DryRun {
		if err := run.Check(ctx); err != nil {
			return err
		}
	}
	if ok, err := r.Consent.Ask(ctx, g, "send "+term.Count(plan.Len(), "dead letter")+" again"); !ok {
		return err
	}
	screen := newReplayScreen(g, found.group, r.wait)
	run.Observer = screen
	account, err := run.Run(ctx)
	screen.finish()
	return closeAccount(g, r, plan, account, err)
}

// checkChannel refuses a channel that the configuration does not have. Without
// a configuration the daemon will say so.
func checkChannel(g *base.Globals, name string) error {
	if name == "" {
		return nil
	}
	l, faults, err := config.LoadBase(g.Source())
	if err != nil || len(faults.Errors()) > 0 {
		return nil
	}
	names := l.Channels.Names()
	for _, n := range names {
		if n == name {
			return nil
		}
	}
	if near := suggest.Closest(name, names); near != "" {
		return base.Misused("--to %s: there is no such channel, did you mean %s?", name, near)
	}
	return base.Misused("--to %s: there is no such channel, there are %s", name, strings.Join(names, ", "))
}

// errNothing is for when no entry is sent.
var errNothing = errors.New("nothing to send again")

// nothingToSend says why; none is what to say where no entry is meant.
func nothingToSend(p *replay.Plan, none string) error {
	if p.Left() == 0 {
		return base.Fail(base.ExitFailed, "%w: %s", errNothing, none)
	}
	text := ""
	for _, l := range replay.Lefts() {
		if n := p.LeftOut[l]; n > 0 {
			text += "\n  " + l.Sentence(n)
		}
	}
	return base.Fail(base.ExitFailed, "%w%s", errNothing, text)
}
