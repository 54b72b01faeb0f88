package dlq

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/term"
)

// planGroups is how many causes a person is shown.
const planGroups = 20

// showPlan prints what will be sent, where to, and what is left out. For
// programs it is the data of a dry run; else it is words, before the question.
func showPlan(g *base.Globals, p *replay.Plan, r *replaying) error {
	if r.DryRun && g.JSON() {
		return writePlan(g.IO.Out, p, r.rate)
	}
	w := g.IO.Err
	if r.DryRun {
		w = g.IO.Out
	}
	rate := r.rate
	fmt.Fprintf(w, "%s to send again\n\n", term.Many(int64(p.Len()), "dead letter"))
	showGroups(w, g.Width(), p.Stats.Groups())
	fmt.Fprintln(w)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-9s %s\n", name, term.Visible(fmt.Sprintf(format, args...)))
	}
	name := "where"
	for _, d := range p.Destinations() {
		row(name, "%s", destination(d))
		name = ""
	}
	if p.Oldest.Equal(p.Newest) {
		row("failed", "%s", stamp(p.Oldest))
	} else {
		row("failed", "%s to %s", stamp(p.Oldest), stamp(p.Newest))
	}
	if p.Options.Edited != nil {
		row("payload", "%s by %s; the original is kept", term.Count(len(p.Options.Edited), "byte"), p.Options.By)
	}
	if rate.Rate > 0 {
		row("takes", "%s at %s", lasts(p, rate).Round(time.Second), rate.String())
	}
	name = "left out"
	for _, l := range replay.Lefts() {
		if n := p.LeftOut[l]; n > 0 {
			row(name, "%s", l.Sentence(n))
			name = ""
		}
	}
	fmt.Fprintln(w)
	return nil
}

// showGroups prints what the entries have in common, each group with an example
// of what went wrong below it.
func showGroups(w io.Writer, width int, groups []*dlq.Group) {
	shown := groups[:min(len(groups), planGroups)]
	t := term.Table{Head: []string{"COUNT", "REASON", "CAUSE", "RULE", "CHANNEL", "FINGERPRINT"}, Elastic: []int{3, 4, 5}}
	digits := len("COUNT")
	if len(shown) > 0 { // the first is the largest
		digits = max(digits, len(fmt.Sprint(shown[0].Count)))
	}
	below := strings.Repeat(" ", digits+2)
	for _, c := range shown {
		t.Add(fmt.Sprintf("%*d", digits, c.Count), string(c.Reason), string(c.Cause), term.OrDash(c.Rule), term.OrDash(c.Channel), c.Fingerprint)
	}
	t.Fit(width)
	t.Print(w, t.Head)
	for i, c := range shown {
		t.Print(w, t.Rows[i])
		if c.Detail != "" {
			fmt.Fprintln(w, term.Cut(below+term.Visible(c.Detail), width))
		}
	}
	if more := len(groups) - len(shown); more > 0 {
		fmt.Fprintf(w, "%sand %s more\n", below, term.Count(more, "group"))
	}
}

// destination says in words what people will see where.
func destination(d replay.Destination) string {
	switch {
	case d.Channel == "":
		return fmt.Sprintf("%s through the rules, which say where to", goes(d.Count))
	case d.Rules:
		return fmt.Sprintf("%s through the rules, and to channel %s what they raise", goes(d.Count), d.Channel)
	case d.Rematch:
		return fmt.Sprintf("%s through its rule again, and to channel %s if that still raises an alert", goes(d.Count), d.Channel)
	}
	return fmt.Sprintf("people will see %s in channel %s", term.Many(int64(d.Count), "message"), d.Channel)
}

func goes(n int) string {
	if n == 1 {
		return "1 goes"
	}
	return fmt.Sprintf("%d go", n)
}

// lasts is how long the requests take at a rate.
func lasts(p *replay.Plan, rate rateFlag) time.Duration {
	return time.Duration(float64(p.Len()) / float64(rate.Rate) * float64(time.Second))
}

// planJSON is the plan for programs; the names are a contract.
type planJSON struct {
	Total        int               `json:"total"`
	Groups       []planGroupJSON   `json:"groups"`
	Destinations []destinationJSON `json:"destinations"`
	OldestFailed time.Time         `json:"oldest_failed"`
	NewestFailed time.Time         `json:"newest_failed"`
	Rate         string            `json:"rate,omitempty"`
	Seconds      float64           `json:"seconds,omitempty"`
	LeftOut      map[string]int    `json:"left_out"`
}

type planGroupJSON struct {
	Fingerprint string `json:"fingerprint"`
	Count       int    `json:"count"`
	Reason      string `json:"reason"`
	Scope       string `json:"scope"`
	Cause       string `json:"cause"`
	Rule        string `json:"rule"`
	Channel     string `json:"channel"`
	Detail      string `json:"detail"`
}

type destinationJSON struct {
	Channel string `json:"channel"` // "": the rules say
	Rules   bool   `json:"rules"`   // through the rules
	Count   int    `json:"count"`
}

func writePlan(w io.Writer, p *replay.Plan, rate rateFlag) error {
	j := planJSON{
		Total: p.Len(), Groups: []planGroupJSON{}, Destinations: []destinationJSON{}, LeftOut: make(map[string]int),
		OldestFailed: p.Oldest.UTC(), NewestFailed: p.Newest.UTC(), Rate: rate.String(),
	}
	if rate.Rate > 0 {
		j.Seconds = lasts(p, rate).Seconds()
	}
	for _, c := range p.Stats.Groups() {
		j.Groups = append(j.Groups, planGroupJSON{c.Fingerprint, c.Count, string(c.Reason), string(c.Scope), string(c.Cause), c.Rule, c.Channel, c.Detail})
	}
	for _, d := range p.Destinations() {
		j.Destinations = append(j.Destinations, destinationJSON{d.Channel, d.Rules || d.Rematch, d.Count})
	}
	for l, n := range p.LeftOut {
		j.LeftOut[string(l)] = n
	}
	return base.NewEncoder(w).Encode(j)
}
