package backtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/term"
)

// The differences of an alert between two versions of the rules.
const (
	gained  = "gained"
	lost    = "lost"
	changed = "severity" // another one
)

// comparison compares the alerts of the old and the new version, event by event.
type comparison struct {
	r     *run
	rules map[string]*ruleDiff
	order []string    // of the rules: the new ones, then those that are gone
	table *term.Table // of the events, with --events
}

// ruleDiff counts how the alerts of a rule that fire differ.
type ruleDiff struct{ gained, lost, changed int }

func newComparison(r *run) *comparison {
	c := &comparison{r: r, rules: make(map[string]*ruleDiff)}
	for i := len(r.versions) - 1; i >= 0; i-- {
		for _, one := range r.versions[i].set.rules.Rules() {
			if c.rules[one.Name] == nil {
				c.rules[one.Name] = &ruleDiff{}
				c.order = append(c.order, one.Name)
			}
		}
	}
	return c
}

// add compares what the versions raise of one event. Whether a resolved alert is raised
// depends on those before, so they are not compared.
func (c *comparison) add(bar *term.Bar, at time.Time, m matched) {
	former, now := firing(m.of[0].alerts), firing(m.of[1].alerts)
	for _, a := range former {
		b := ofRule(now, a.Rule)
		switch {
		case b == nil:
			c.rules[a.Rule].lost++
			c.show(bar, at, m, lost, a, nil)
		case a.Severity != b.Severity:
			c.rules[a.Rule].changed++
			c.show(bar, at, m, changed, b, a)
		}
	}
	for _, b := range now {
		if ofRule(former, b.Rule) == nil {
			c.rules[b.Rule].gained++
			c.show(bar, at, m, gained, b, nil)
		}
	}
}

func firing(alerts []alert.Alert) (list []*alert.Alert) {
	for i := range alerts {
		if alerts[i].State == alert.Firing {
			list = append(list, &alerts[i])
		}
	}
	return list
}

func ofRule(alerts []*alert.Alert, rule string) *alert.Alert {
	if i := slices.IndexFunc(alerts, func(a *alert.Alert) bool { return a.Rule == rule }); i >= 0 {
		return alerts[i]
	}
	return nil
}

// eventJSON is an alert that differs; the names are a contract.
type eventJSON struct {
	Type        string    `json:"type"` // event
	Difference  string    `json:"difference"`
	Event       string    `json:"event"` // topic/partition@offset
	At          time.Time `json:"at"`    // of the record
	Rule        string    `json:"rule"`
	Severity    string    `json:"severity"`
	OldSeverity string    `json:"old_severity,omitempty"`
	Key         []string  `json:"key"`
	Title       string    `json:"title"`
}

// pageSize is how many events are laid out together.
const pageSize = 50

// show prints an alert that differs, if that was asked for. was is the old one, of one
// whose severity differs.
func (c *comparison) show(bar *term.Bar, at time.Time, m matched, difference string, a, was *alert.Alert) {
	if !c.r.list {
		return
	}
	if c.r.g.JSON() {
		e := eventJSON{"event", difference, place(&m.source), at.UTC(), a.Rule, string(a.Severity), "", append([]string{}, a.Key...), a.Title.String()}
		if was != nil {
			e.OldSeverity = string(was.Severity)
		}
		_ = base.NewEncoder(c.r.out).Encode(e) // the writer keeps its error
		return
	}
	if c.table == nil {
		c.table = &term.Table{Head: []string{"", "EVENT", "AT " + term.Zone(at), "RULE", "SEVERITY", "TITLE"}, Elastic: []int{5, 3}, Optional: []int{2}}
	}
	severity := string(a.Severity)
	if was != nil {
		severity = fmt.Sprintf("%s → %s", was.Severity, a.Severity)
	}
	mark := map[string]string{gained: "+", lost: "-", changed: "~"}[difference]
	c.table.Add(mark, place(&m.source), term.Short(at), a.Rule, severity, term.Cut(a.Title.String(), 200))
	if len(c.table.Rows) == pageSize {
		c.flush(bar)
	}
}

// flush prints the events that are laid out.
func (c *comparison) flush(bar *term.Bar) {
	if c.table != nil {
		bar.Above(func() {
			c.table.Write(c.r.out, c.r.g.Width())
			_ = c.r.out.Flush()
		})
	}
}

// printDiff prints how rules and channels differ.
func (r *run) printDiff() {
	former, now := r.versions[0], r.versions[1]
	t := &term.Table{Head: []string{"RULE", "OLD ALERTS", "NEW", "GAINED", "LOST", "OTHER SEVERITY"}, Elastic: []int{0}, Right: []int{1, 2, 3, 4, 5}}
	for _, name := range r.compared.order {
		d := r.compared.rules[name]
		t.Add(name, former.alertsText(name), now.alertsText(name), number(d.gained), number(d.lost), number(d.changed))
	}
	r.table(t)
	t = &term.Table{Head: []string{"CHANNEL", "OLD MESSAGES", "NEW", "WORST MINUTE", "LATE P50", "FIRST IN 10 s"}, Elastic: []int{0}, Right: []int{1, 2}}
	for _, name := range now.names {
		a, b := former.channels[name], now.channels[name]
		before, _ := a.lateText()
		after, _ := b.lateText()
		t.Add(name, number(a.messages), number(b.messages), fmt.Sprintf("%d → %d", a.worst, b.worst), before+" → "+after, a.soonText()+" → "+b.soonText())
	}
	r.table(t)
}

// alertsText is how many alerts of a rule fire; – where the version has no such rule.
func (v *version) alertsText(rule string) string {
	c, ok := v.rules[rule]
	if !ok {
		return "no rule"
	}
	return number(c.alerts)
}
