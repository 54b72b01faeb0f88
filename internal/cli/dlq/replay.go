package dlq

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/suggest"
)

const aboutReplay = `Request the notifier to send dead letters again: those with the given ids (or unique prefixes of
ids) and those selected by filters. A delivery is sent to its channel with its original alert; a
record that failed before matching is matched against the rules.

The plan is shown first. The command only writes one request for each entry to the group's replay
topic. The notifier handles the requests one at a time; an entry that fails again becomes a dead
letter again. Repeated requests for an entry are sent once.

With --canary N, the command sends N first and stops if one of them fails again; then it sends four
times as many, and so on. With --rate, --canary or --wait, it also stops when an entry fails again
with a cause that other selected entries have, or that one failed with before.`

// replaying has the flags of 'dlq replay'.
type replaying struct {
	selection
	base.Consent
	options replay.Options
	payload string
	rate    rateFlag
	canary  int
	wait    bool
}

func newReplay(g *base.Globals) *cobra.Command {
	var r replaying
	cmd := &cobra.Command{
		Use:   "replay [ID…]",
		Short: "Replay dead letters",
		Long:  aboutReplay,
		RunE:  func(cmd *cobra.Command, ids []string) error { return runReplay(g, cmd.Context(), &r, ids) },
	}
	r.selection.flags(cmd)
	r.selection.complete(g, cmd)
	cmd.ValidArgsFunction = completeID(g)
	r.allFlag(cmd)
	f := cmd.Flags()
	f.BoolVar(&r.options.Rematch, "rematch", false, "match against the rules again instead of sending the original alert")
	f.StringVar(&r.options.To, "to", "", "send to this `CHANNEL`")
	f.StringVar(&r.payload, "payload", "", "replace the value of one dead letter by `FILE` (-: standard input); the original is kept")
	f.BoolVar(&r.options.Force, "force", false, "also quarantined ones, and an undecodable payload")
	f.BoolVar(&r.options.Ambiguous, "include-ambiguous", false, "also those that may have been delivered")
	f.Var(&r.rate, "rate", "limit the rate, such as 5/s or 30/m (default: no limit)")
	f.IntVar(&r.canary, "canary", 0, "send `N` first, and the others in growing rounds unless one of these fails")
	f.BoolVar(&r.wait, "wait", false, "wait until all are resolved or failed again; exit 1 if any failed again")
	f.StringVarP(&r.options.Comment, "comment", "m", "", "`TEXT` for the audit trail")
	r.Consent.Flags(cmd)
	base.Complete(cmd, "to", g.ChannelNames)
	return cmd
}

// prepare checks the flags and reads the payload.
func (r *replaying) prepare(g *base.Globals, ids []string) (*filter, error) {
	filter, err := r.filter(ids, time.Now())
	switch {
	case err != nil:
		return nil, err
	case r.payload != "" && len(ids) != 1:
		return nil, base.Misused("--payload replaces the value of one dead letter: pass one id")
	case r.canary < 0:
		return nil, base.Misused("--canary %d is not a number of dead letters", r.canary)
	}
	err = cmp.Or(filter.required("replay"), r.Possible(g), checkChannel(g, r.options.To))
	if err == nil && r.payload != "" {
		r.options.Edited, err = readPayload(g, r.payload, r.options.Force)
	}
	r.options.By, r.options.Run = base.User(), replay.NewRun(time.Now())
	return filter, err
}

// runReplay shows the plan, asks for confirmation and carries it out.
func runReplay(g *base.Globals, ctx context.Context, r *replaying, ids []string) error {
	filter, err := r.prepare(g, ids)
	if err != nil {
		return err
	}
	st, err := openStore(g, ctx, replay.ClientOptions(kafka.MaxEnvelope)...)
	if err != nil {
		return err
	}
	defer st.client.Close()
	// Later records are not part of the plan.
	spans, err := st.Ends(ctx, filter.sources())
	if err != nil {
		return err
	}
	plan := replay.NewPlan(r.options)
	seen, err := filter.each(ctx, st.Reader, spans, dlq.Query{Brief: true}, func(e *dlq.Entry) bool {
		plan.Add(e)
		return true
	})
	if err != nil {
		return err
	}
	plan.Close()
	if plan.Len() == 0 {
		return nothingToSend(plan, filter.noneText(seen))
	}
	if err := showPlan(g, plan, r); err != nil {
		return err
	}
	run := replay.Runner{
		Reader: st.Reader, Client: st.client, Plan: plan, Spans: spans,
		Rate: float64(r.rate.Rate), Canary: r.canary, Wait: r.wait,
	}
	if !r.DryRun {
		if err := run.Check(ctx); err != nil {
			return err
		}
	}
	if ok, err := r.Consent.Ask(ctx, g, "replay "+plural.Count(plan.Len(), "dead letter")); !ok {
		return err
	}
	screen := newReplayScreen(g, st.group, r.wait, plan.Len())
	run.Observer = screen
	stop := func() {}
	if r.wait || r.canary > 0 {
		stop = screen.watchChannels(ctx, plan)
	}
	account, err := run.Run(ctx)
	stop()
	screen.bar.Finish()
	return closeAccount(g, r, plan, account, err)
}

// checkChannel returns an error for a channel that is not configured. Without a configuration the
// daemon checks it.
func checkChannel(g *base.Globals, name string) error {
	if name == "" {
		return nil
	}
	l, faults, err := config.LoadBase(g.Source())
	if err != nil || len(faults.Errors()) > 0 {
		return nil
	}
	if l.Channels.Get(name) != nil {
		return nil
	}
	names := l.Channels.Names()
	if near := suggest.Closest(name, names); near != "" {
		return base.Misused("--to %s: there is no such channel, did you mean %s?", name, near)
	}
	return base.Misused("--to %s: there is no such channel: choose from %s", name, strings.Join(names, ", "))
}

// nothingToSend returns the error for an empty plan; none is the text if nothing was selected.
func nothingToSend(p *replay.Plan, none string) error {
	if p.Left() == 0 {
		return base.Fail(base.ExitFailed, "nothing to replay: %s", none)
	}
	text := ""
	for _, l := range replay.Lefts() {
		if n := p.LeftOut[l]; n > 0 {
			text += "\n  " + l.Sentence(n)
		}
	}
	return base.Fail(base.ExitFailed, "nothing to replay%s", text)
}
