package dlq

import (
	"errors"
	"fmt"
	"strings"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/term"
)

// accountJSON is the JSON of the account; the names are a contract.
type accountJSON struct {
	Run         string         `json:"run"`
	Planned     int            `json:"planned"`
	Sent        int            `json:"sent"`
	Watched     bool           `json:"watched"` // false: sent entries count as waiting
	Resolved    int            `json:"resolved"`
	Reopened    int            `json:"reopened"`
	Quarantined int            `json:"quarantined"` // of the reopened
	Discarded   int            `json:"discarded"`
	Dropped     int            `json:"dropped"`
	Waiting     int            `json:"waiting"`
	Superseded  int            `json:"superseded"`
	NotSent     int            `json:"not_sent"`
	LeftOut     map[string]int `json:"skipped"`
	// First is the first that failed again, StoppedBy the one that stopped the run.
	First     *againJSON `json:"first_reopened"`
	StoppedBy *againJSON `json:"stopped_by"`
}

type againJSON struct {
	ID          string `json:"id"`
	Fingerprint string `json:"fingerprint"`
	Detail      string `json:"detail"`
}

func toAgain(e *dlq.Entry) *againJSON {
	if e == nil {
		return nil
	}
	return &againJSON{e.ID, e.Fingerprint(), e.Detail}
}

// closeAccount prints the result of the run and suggested commands, and returns the run's error.
func closeAccount(g *base.Globals, r *replaying, p *replay.Plan, a replay.Account, err error) error {
	if g.JSON() {
		j := accountJSON{
			Run: r.options.Run, Planned: a.Planned, Sent: a.Sent, Watched: a.Watched, Resolved: a.Resolved, Reopened: a.Reopened,
			Quarantined: a.Quarantined, Discarded: a.Discarded, Dropped: a.Dropped, Waiting: a.Waiting, Superseded: a.Superseded,
			NotSent: a.NotSent(), First: toAgain(a.First), StoppedBy: toAgain(a.Stopped), LeftOut: make(map[string]int),
		}
		for l, n := range p.LeftOut {
			j.LeftOut[string(l)] = n
		}
		if err := base.NewEncoder(g.IO.Out).Encode(j); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(g.IO.Out, accountText(a))
		printCommands(g, a)
	}
	return runError(a, err)
}

// runError returns the error of a run, which determines the exit code.
func runError(a replay.Account, err error) error {
	switch {
	case errors.Is(err, base.ErrSignal):
		return base.Fail(base.ExitFailed, "%w: %d of %d were not requested, %d wait and will still be handled", err, a.NotSent(), a.Planned, a.Waiting)
	case err != nil && a.NotSent() > 0:
		return fmt.Errorf("%w: %d of %d were not requested; repeat the command for the rest", err, a.NotSent(), a.Planned)
	case err != nil:
		return err
	case a.Stopped != nil:
		e := a.Stopped
		return base.Fail(base.ExitFailed, "stopped: %s failed again (fingerprint %s): %s\n%d of %d were not requested: fix the cause, then repeat the command",
			term.Visible(e.ID), term.Visible(e.Fingerprint()), term.Visible(because(e)), a.NotSent(), a.Planned)
	case a.Reopened > 0:
		return base.Fail(base.ExitFailed, "%d failed again", a.Reopened)
	case a.Dropped > 0:
		return base.Fail(base.ExitFailed, "the notifier dropped %s", plural.Count(a.Dropped, "request"))
	}
	return nil
}

// because returns why an entry failed.
func because(e *dlq.Entry) string {
	if e.Detail != "" {
		return e.Detail
	}
	return string(e.Cause)
}

// accountText returns the account as one line.
func accountText(a replay.Account) string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	if a.Watched {
		add(a.Resolved, "resolved")
		reopened := "reopened"
		if a.Quarantined > 0 {
			reopened = fmt.Sprintf("reopened (%d quarantined)", a.Quarantined)
		}
		add(a.Reopened, reopened)
		add(a.Discarded, "discarded in the meantime")
		add(a.Dropped, "dropped by the notifier")
		add(a.Waiting, "still waiting")
	}
	text := fmt.Sprintf("%d sent", a.Sent)
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if a.Superseded > 0 {
		text += fmt.Sprintf("; %d superseded: closed or failed again in the meantime", a.Superseded)
	}
	if n := a.NotSent(); n > 0 {
		text += fmt.Sprintf("; %d not sent", n)
	}
	return text
}

// printCommands prints commands to continue with.
func printCommands(g *base.Globals, a replay.Account) {
	add := func(when bool, what, format string, args ...any) {
		if when {
			fmt.Fprintf(g.IO.Out, "%-22s %s %s\n", what, g.Self(), term.Visible(fmt.Sprintf(format, args...)))
		}
	}
	if a.First != nil {
		add(true, "first to fail again:", "dlq show %s", base.Quote(a.First.ID))
	}
	add(a.Reopened > a.Quarantined, "open:", "dlq list --state open")
	add(a.Quarantined > 0, "quarantined:", "dlq list --state quarantined")
	add(a.Lost != "", "first to be dropped:", "dlq show %s", base.Quote(a.Lost))
	add(a.Waiting > 0, "waiting:", "dlq list --state waiting")
	add(!a.Watched && a.Waiting > 0, "failed again:", "dlq stats")
}
