package backtest

import (
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/plural"
)

// Message is one message that a channel would send.
type Message struct {
	Channel   string
	At        time.Time // when its attempt begins
	EventTime time.Time // of the earliest event that it tells first
	Severity  alert.Severity
	Rules     []string // of its alerts, sorted. A notice of the notifier has alert.Notifier
	AlertKey  string   // of a digest, what its alerts have in common; empty: nothing
	Members   int      // alerts that it tells first: more than one in a digest
	Edit      bool     // it replaces an earlier digest, so that people hear of nothing new
	Resolved  bool
	Reminder  bool
	Title     string // what a person reads: one line, without severity
	Text      string // the lines below, without markup
}

// Text is what stands below a message's title, without markup.
func Text(c *channel.Content) string {
	var lines []string
	for _, line := range c.Lines {
		lines = append(lines, line.String())
	}
	if c.More > 0 {
		lines = append(lines, "and "+plural.Verb(c.More, "more", "more"))
	}
	for _, f := range c.Fields {
		lines = append(lines, f.Label+": "+f.Value.String())
	}
	if footer := c.Footer(); footer != "" {
		lines = append(lines, footer)
	}
	return strings.Join(lines, "\n")
}

// rulesOf returns the rules of deliveries.
func rulesOf(records []*deliverylog.Record) []string {
	var rules []string
	for _, r := range records {
		if !slices.Contains(rules, r.Rule) {
			rules = append(rules, r.Rule)
		}
	}
	slices.Sort(rules)
	return rules
}
