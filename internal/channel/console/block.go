package console

import (
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

const (
	indent   = 21 // where titles and details begin
	arrow    = 20 // columns reserved for the arrow and the channel's name
	short    = 8  // the same on a terminal that is narrower than Width
	minTitle = 20 // columns of the title on the narrowest terminal
	minFirst = 24 // with less room beside them, the notes get a line of their own
	maxLines = 8  // detail lines with the notes; the rest is cut
	maxTitle = 3  // lines of a title; the rest is cut
	between  = " · "
)

// layout renders messages in columns.
type layout struct {
	width   int
	colour  bool
	channel string
	zone    *time.Location
}

// block renders m: a line with time, severity, title and channel; below it
// the rest of a long title, and fields, text and notes, if there are any.
func (l layout) block(m channel.Message) []byte {
	m = m.Flat(l.zone, maxLines, maxLines*max(l.width-indent, minTitle))
	var b strings.Builder
	b.WriteString(l.head(m))
	for _, line := range l.details(m) {
		b.WriteString(l.paint(dim, strings.Repeat(" ", indent)+line))
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

func (l layout) head(m channel.Message) string {
	severity, style := alert.Visible(string(m.Alert.Severity)), ""
	switch {
	case m.Resolved():
		severity, style = "resolved", resolved
	case m.Alert.Severity == alert.Critical:
		severity, style = "CRITICAL", critical
	case m.Alert.Severity == alert.Warning:
		style = warning
	}
	target := "→ " + alert.Visible(l.channel)
	reserved := arrow
	if l.width < Width {
		reserved = short
	}
	room := max(l.width-indent-1-max(reserved, uniseg.StringWidth(target)), minTitle)
	rest := max(l.width-indent, minTitle)
	title := wrap(nil, strings.Fields(alert.Visible(m.Alert.Title.String())), " ", room, rest)
	if len(title) == 0 {
		title = []string{""}
	}
	if len(title) > maxTitle {
		title = title[:maxTitle]
		title[maxTitle-1] = cut(title[maxTitle-1], rest-2) + " …"
	}
	text := " " + m.Now.In(l.zone).Format(time.TimeOnly) +
		"  " + l.paint(style, pad(severity, 8)) +
		"  " + pad(title[0], room) +
		" " + l.paint(dim, target) + "\n"
	for _, line := range title[1:] {
		text += strings.Repeat(" ", indent) + line + "\n"
	}
	return text
}

// details returns the lines below the head. The notes are at the right end of
// the first line, or below it where there is no room.
func (l layout) details(m channel.Message) []string {
	width := max(l.width-indent, minTitle)
	fields, text := atoms(m.Alert)
	empty := len(fields)+len(text) == 0
	notes := l.notes(m, !empty)
	side := strings.Join(notes, between)
	first := width - 2 - uniseg.StringWidth(side)
	below := empty || first < minFirst
	if below || side == "" {
		first = width
	}
	lines := wrap(nil, fields, between, first, width)
	for _, words := range text {
		lines = wrap(lines, words, " ", first, width)
	}
	var last []string
	if below {
		last = wrap(nil, notes, between, width, width)
	}
	if most := max(maxLines-len(last), 1); len(lines) > most {
		lines = lines[:most]
		lines[most-1] = cut(lines[most-1], width-2) + " …"
	}
	if side != "" && !below {
		lines[0] += padLeft(side, width-uniseg.StringWidth(lines[0]))
	}
	for _, line := range last {
		lines = append(lines, padLeft(line, width))
	}
	return lines
}

// notes returns what a reader must know about this message beyond its alert. A
// delay below channel.LateAfter is shown only beside details.
func (l layout) notes(m channel.Message, beside bool) []string {
	var notes []string
	if label := m.TestLabel(); label != "" {
		notes = append(notes, label)
	}
	if m.Reminder && !m.Resolved() {
		notes = append(notes, "reminder")
	}
	if label := m.SpanLabel(); label != "" {
		notes = append(notes, label)
	}
	if label := m.ThrottledLabel(l.zone); label != "" {
		notes = append(notes, label)
	}
	if m.MayBeDuplicate {
		notes = append(notes, "may be a duplicate")
	}
	if label := m.ReplayLabel(); label != "" {
		if at := m.EventTime(l.zone); at != "" {
			label += ", event of " + at
		}
		notes = append(notes, label)
	}
	if label := m.InsteadLabel(); label != "" {
		notes = append(notes, label)
	}
	_, late := m.Late()
	if delay := m.Delay(); delay != "" && (late || beside) {
		notes = append(notes, delay)
	}
	return notes
}

// atoms returns the unbreakable pieces: the fields, and the words of each line
// of the text.
func atoms(a alert.Alert) (fields []string, text [][]string) {
	for _, f := range a.Fields {
		value := alert.Visible(f.Value.String())
		if value == "" {
			value = "–"
		}
		fields = append(fields, alert.Visible(f.Label)+" "+value)
	}
	for _, line := range a.Text.Lines() {
		text = append(text, strings.Fields(line))
	}
	return fields, text
}

const (
	critical = "\x1b[1;31m"
	warning  = "\x1b[33m"
	resolved = "\x1b[32m"
	dim      = "\x1b[2m"
	plain    = "\x1b[0m"
)

func (l layout) paint(style, text string) string {
	if !l.colour || style == "" {
		return text
	}
	return style + text + plain
}
