package channel

import (
	"fmt"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

// Content is what a message says, without the markup of a medium. All characters are
// visible: see alert.Visible. Only parts of rules have line breaks.
type Content struct {
	// Title is one line; of a digest, the number of its alerts and what they have in
	// common.
	Title    alert.Text
	Severity alert.Severity
	// Lines are the lines of the alert's text, or a row for each item of a digest.
	Lines  []alert.Text
	Fields []alert.Field // none in a digest
	Digest bool
	// More is how many alerts of a digest have no row.
	More int
	// Notes are short remarks, such as "a test" or "4 m 10 s late".
	Notes []string
	// Rule names the rule; empty for a digest of several rules.
	Rule string
	// Runbook is a valid link or empty, see alert.Link.
	Runbook string
}

// Content returns what the message says.
func (m Message) Content() Content {
	a := m.Alert
	c := Content{
		Title: visible(a.Title), Severity: a.Severity, Lines: lines(a.Text), Notes: m.notes(),
		Rule: alert.Visible(a.Rule), Runbook: alert.Link(a.Runbook),
	}
	if m.Digest != nil {
		m.digest(&c)
		return c
	}
	for _, f := range a.Fields {
		c.Fields = append(c.Fields, alert.Field{Label: alert.Visible(f.Label), Value: visible(f.Value)})
	}
	return c
}

// digest replaces the content of the alert by that of a digest.
func (m Message) digest(c *Content) {
	d := m.Digest
	mixed := false // severities
	for _, item := range d.Items {
		mixed = mixed || item.Severity != d.Items[0].Severity
		if item.Rule != m.Alert.Rule {
			c.Rule, c.Runbook = "", ""
		}
	}
	c.Title = alert.Text{{Text: fmt.Sprintf("%d groups", d.Groups)}}
	if d.Groups <= 1 {
		c.Title = alert.Text{{Text: c.Rule}, {Text: alert.Visible(strings.Join(d.Group, "/")), Value: true}}
		if c.Title[1].Text != "" && c.Rule != "" {
			c.Title[0].Text += " "
		}
	}
	c.Title = append(c.Title, alert.Part{Text: ": " + m.since(time.UTC)})
	c.Digest, c.Lines, c.More = true, nil, max(0, d.Alerts-len(d.Items))
	for _, item := range d.Items {
		row := item.EventTime.UTC().Format("15:04:05") + " "
		if mixed {
			row += word(item.Severity) + " "
		}
		c.Lines = append(c.Lines, append(alert.Text{{Text: row}}, visible(item.Title)...))
	}
}

// notes are the remarks on a message.
func (m Message) notes() []string {
	var notes []string
	add := func(note string) {
		if note != "" {
			notes = append(notes, note)
		}
	}
	add(m.TestLabel())
	if _, late := m.Late(); late && !m.Alert.EventTime.IsZero() {
		add(m.Delay())
	}
	if label := m.ThrottledLabel(time.UTC); m.SuppressedSince.IsZero() {
		add(label)
	} else {
		add(label + " UTC")
	}
	if m.MayBeDuplicate {
		add("may be a duplicate")
	}
	add(m.ReplayLabel())
	if m.Alert.Shortened {
		add("shortened")
	}
	return notes
}

// Mark is how a line begins that is about an alert of this severity.
func Mark(s alert.Severity) string {
	switch s {
	case alert.Critical:
		return "🔴 CRITICAL"
	case alert.Warning:
		return "🟠"
	}
	return "🔵"
}

// visible returns a text on one line: parts of rules lose their line breaks.
func visible(t alert.Text) alert.Text {
	out := make(alert.Text, len(t))
	for i, p := range t {
		if !p.Value {
			p.Text = strings.ReplaceAll(p.Text, "\n", " ")
		}
		out[i] = alert.Part{Text: alert.Visible(p.Text), Value: p.Value}
	}
	return out
}

// lines splits a text at the line breaks of its rule, without empty lines.
func lines(t alert.Text) []alert.Text {
	var all []alert.Text
	var line alert.Text
	end := func() {
		if strings.TrimSpace(line.String()) != "" {
			all = append(all, line)
		}
		line = nil
	}
	for _, p := range t {
		if p.Value {
			line = append(line, alert.Part{Text: alert.Visible(p.Text), Value: true})
			continue
		}
		for i, text := range strings.Split(p.Text, "\n") {
			if i > 0 {
				end()
			}
			line = append(line, alert.Part{Text: alert.Visible(text)})
		}
	}
	end()
	return all
}
