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
	// Heading is what the title begins with, and Mark the same behind a symbol:
	// "🔴 CRITICAL", "✅ Resolved".
	Heading, Mark string
	// Lines are the lines of the alert's text, or a row for each item of a digest.
	Lines  []alert.Text
	Fields []alert.Field // none in a digest
	Digest bool
	// More is how many alerts of a digest have no row.
	More int
	// Time is the event's: "23 Nov 14:31:05 UTC". It is empty without one, and in a digest.
	Time string
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
		Title: visible(a.Title), Severity: a.Severity, Heading: m.Heading(), Mark: m.mark(), Lines: lines(a.Text), Notes: m.Notes(),
		Rule: alert.Visible(a.Rule), Runbook: alert.Link(a.Runbook),
	}
	if m.Digest != nil {
		m.digest(&c)
		return c
	}
	if !a.EventTime.IsZero() {
		c.Time = a.EventTime.In(m.Location()).Format("2 Jan 15:04:05 MST")
	}
	for _, f := range a.Fields {
		c.Fields = append(c.Fields, alert.Field{Label: alert.Visible(f.Label), Value: visible(f.Value)})
	}
	return c
}

// Footer returns the rule, the time and the notes, separated by dots.
func (c Content) Footer() string {
	var parts []string
	for _, part := range append([]string{c.Rule, c.Time}, c.Notes...) {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " · ")
}

// digest replaces the content of the alert by that of a digest.
func (m Message) digest(c *Content) {
	d := m.Digest
	for _, item := range d.Items {
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
	c.Title = append(c.Title, alert.Part{Text: ": " + m.since(m.Location())})
	c.Digest, c.Lines, c.More = true, nil, max(0, d.Alerts-len(d.Items))
	for _, item := range d.Items {
		row := item.EventTime.In(m.Location()).Format(time.TimeOnly) + " " + d.word(item)
		c.Lines = append(c.Lines, append(alert.Text{{Text: row}}, visible(item.Title)...))
	}
}

// Notes are the remarks on a message: see Content.
func (m Message) Notes() []string {
	var notes []string
	add := func(note string) {
		if note != "" {
			notes = append(notes, note)
		}
	}
	add(m.TestLabel())
	add(m.SpanLabel())
	if _, late := m.Late(); late && !m.Alert.EventTime.IsZero() {
		add(m.Delay())
	}
	label := m.ThrottledLabel(m.Location())
	if label != "" && !m.SuppressedSince.IsZero() {
		label += m.SuppressedSince.In(m.Location()).Format(" MST")
	}
	add(label)
	if m.MayBeDuplicate {
		add("may be a duplicate")
	}
	add(m.ReplayLabel())
	add(m.InsteadLabel())
	if m.Alert.Shortened {
		add("shortened")
	}
	return notes
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
