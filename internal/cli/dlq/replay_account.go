package dlq

import (
	"errors"
	"fmt"
	"strings"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/term"
)

// accountJSON is the account for programs; the names are a contract.
type accountJSON struct {
	Run         string         `json:"run"`
	Planned     int            `json:"planned"`
	Sent        int            `json:"sent"`
	Watched     bool           `json:"watched"` // false: what is sent counts as waiting
	Resolved    int            `json:"resolved"`
	Reopened    int            `json:"reopened"`
	Quarantined int            `json:"quarantined"` // of the reopened
	Discarded   int            `json:"discarded"`
	Dropped     int            `json:"dropped"`
	Waiting     int            `json:"waiting"`
	Superseded  int            `json:"superseded"`
	NotSent     int            `json:"not_sent"`
	LeftOut     map[string]int `json:"left_out"`
	// First is the first that failed again, StoppedBy the one that stopped the
	// run; null: none did.
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

// closeAccount prints what became of the run, what to go on with, and returns
// the error that its end is.
func closeAccount(g *base.Globals, r *replaying, p *replay.Plan, a replay.Account, err error) error {
	if g.JSON() {
		j := accountJSON{
			Run: r.ask.Run, Planned: a.Planned, Sent: a.Sent, Watched: a.Watched, Resolved: a.Resolved, Reopened: a.Reopened,
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
		for _, line := range goOn(g.Self(), a) {
			fmt.Fprintln(g.IO.Out, term.Visible(line))
		}
	}
	return verdict(a, err)
}

// verdict is the error that an account means for the exit code.
func verdict(a replay.Account, err error) error {
	switch {
	case errors.Is(err, base.ErrSignal):
		return base.Fail(base.ExitFailed, "%w: %d of %d were not asked for, %d wait; what waits is handled all the same", err, a.NotSent(), a.Planned, a.Waiting)
	case err != nil && a.NotSent() > 0:
		return fmt.Errorf("%w: %d of %d were not asked for; the same command again leaves out what waits", err, a.NotSent(), a.Planned)
	case err != nil:
		return err
	case a.Stopped != nil:
		e := a.Stopped
		return base.Fail(base.ExitFailed, "stopped: %s failed again with a cause that others of these have (fingerprint %s): %s\n%d of %d were not asked for",
			term.Visible(e.ID), term.Visible(e.Fingerprint()), term.Visible(because(e)), a.NotSent(), a.Planned)
	case a.Reopened > 0:
		return base.Fail(base.ExitFailed, "%d failed again", a.Reopened)
	case a.Dropped > 0:
		return base.Fail(base.ExitFailed, "the notifier dropped %s", term.Count(a.Dropped, "request"))
	}
	return nil
}

// because is why an entry failed, in one line.
func because(e *dlq.Entry) string {
	if e.Detail != "" {
		return e.Detail
	}
	return string(e.Cause)
}

// accountText is the account in one line.
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
		add(a.Discarded, "discarded meanwhile")
		add(a.Dropped, "dropped by the notifier")
		add(a.Waiting, "still waiting")
	}
	text := fmt.Sprintf("%d sent", a.Sent)
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if a.Superseded > 0 {
		text += fmt.Sprintf("; %d not sent, since they were closed or failed again meanwhile", a.Superseded)
	}
	if n := a.NotSent(); n > 0 {
		text += fmt.Sprintf("; %d not sent", n)
	}
	return text
}

// goOn are the commands to go on with.
func goOn(self string, a replay.Account) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if a.First != nil {
		add("the first that failed again:  %s dlq show %s", self, base.Quote(a.First.ID))
	}
	if a.Reopened > a.Quarantined {
		add("what is open:                 %s dlq list --state open", self)
	}
	if a.Quarantined > 0 {
		add("what is quarantined:          %s dlq list --state quarantined", self)
	}
	if a.Lost != "" {
		add("the first that was dropped:   %s dlq show %s", self, base.Quote(a.Lost))
	}
	if a.Waiting > 0 {
		add("what still waits:             %s dlq list --state waiting", self)
	}
	if !a.Watched && a.Waiting > 0 {
		add("what failed again:            %s dlq stats", self)
	}
	return lines
}
