package dlq

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/term"
)

// showPlan prints the plan: as JSON for a dry run with -o json, else as text.
func showPlan(g *base.Globals, p *replay.Plan, r *replaying) error {
	if r.DryRun && g.JSON() {
		return writePlan(g.IO.Out, p, r.rate)
	}
	w := g.IO.Err
	if r.DryRun {
		w = g.IO.Out
	}
	fmt.Fprintf(w, "%s to replay\n\n", plural.Count(p.Len(), "dead letter"))
	printGroups(w, g.Width(), p.Stats.Groups())
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
		row("failed", "%s", term.Stamp(p.Oldest))
	} else {
		row("failed", "%s to %s", term.Stamp(p.Oldest), term.Stamp(p.Newest))
	}
	if p.Options.Edited != nil {
		row("payload", "%s by %s; the original is kept", plural.Count(len(p.Options.Edited), "byte"), p.Options.By)
	}
	if r.rate.Rate > 0 {
		row("takes", "%s at %s", lasts(p, r.rate).Round(time.Second), r.rate.String())
	}
	name = "skipped"
	for _, l := range replay.Lefts() {
		if n := p.LeftOut[l]; n > 0 {
			row(name, "%s", l.Sentence(n))
			name = ""
		}
	}
	fmt.Fprintln(w)
	return nil
}

// destination describes a destination.
func destination(d replay.Destination) string {
	switch {
	case d.Channel == "":
		return plural.Verb(d.Count, "is", "are") + " matched against the rules"
	case d.Rules:
		return fmt.Sprintf("%s matched against the rules, for channel %s", plural.Verb(d.Count, "is", "are"), d.Channel)
	case d.Rematch:
		return fmt.Sprintf("%s matched against the rule again, for channel %s", plural.Verb(d.Count, "is", "are"), d.Channel)
	}
	return fmt.Sprintf("%s to channel %s", plural.Count(d.Count, "message"), d.Channel)
}

// lasts returns how long the requests take at a rate.
func lasts(p *replay.Plan, rate rateFlag) time.Duration {
	return time.Duration(float64(p.Len()) / float64(rate.Rate) * float64(time.Second))
}

// planJSON is the JSON of the plan; the names are a contract.
type planJSON struct {
	Total        int               `json:"total"`
	Groups       []planGroupJSON   `json:"groups"`
	Destinations []destinationJSON `json:"destinations"`
	OldestFailed time.Time         `json:"oldest_failed"`
	NewestFailed time.Time         `json:"newest_failed"`
	Rate         string            `json:"rate,omitempty"`
	Seconds      float64           `json:"seconds,omitempty"`
	LeftOut      map[string]int    `json:"skipped"`
}

type planGroupJSON struct {
	Fingerprint string   `json:"fingerprint"`
	Count       int      `json:"count"`
	Reason      string   `json:"reason"`
	Scope       string   `json:"scope"`
	Cause       string   `json:"cause"`
	Rules       []string `json:"rules"`
	Channel     string   `json:"channel"`
	Detail      string   `json:"detail"`
}

type destinationJSON struct {
	Channel string `json:"channel"` // empty: decided by the rules
	Rules   bool   `json:"rules"`   // matched against the rules
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
		j.Groups = append(j.Groups, planGroupJSON{c.Fingerprint, c.Count, string(c.Reason), string(c.Scope), string(c.Cause), slices.Concat([]string{}, c.Rules), c.Channel, c.Detail})
	}
	for _, d := range p.Destinations() {
		j.Destinations = append(j.Destinations, destinationJSON{d.Channel, d.Rules || d.Rematch, d.Count})
	}
	for l, n := range p.LeftOut {
		j.LeftOut[string(l)] = n
	}
	return base.NewEncoder(w).Encode(j)
}
