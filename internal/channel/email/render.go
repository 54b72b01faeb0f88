package email

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// Bounds of a mail's parts, in bytes of HTML. Together with the layout they
// keep it below 102 KB, where Gmail truncates.
const (
	maxTitle  = 2 << 10
	maxText   = 24 << 10
	maxLabel  = 400
	maxValue  = 4 << 10
	maxFields = 40 << 10 // all fields, with rowFrame for the markup of each
	rowFrame  = 512
	maxItems  = 100 // lines of a digest
)

//go:embed mail.html
var layout string

var page = template.Must(template.New("mail").Parse(layout))

// view is the content of both parts of a mail. Its texts are not escaped;
// control characters are replaced by visible ones.
type view struct {
	Severity, Colour, Title string
	Preheader               string // shown by mail clients next to the subject
	Notes                   []note
	Lines                   []string
	Fields                  []entry
	Runbook                 string // URL
	Facts                   []entry
}

type entry struct{ Label, Value string }

// note is a line about the message; a strong one is shown in bold.
type note struct {
	Text   string
	Strong bool
}

func newView(m channel.Message) *view {
	m = m.Flat(m.Location(), maxItems, maxText/2)
	a := &m.Alert
	v := &view{
		Severity: m.Heading(),
		Colour:   colour(m),
		Title:    clipHTML(alert.Visible(a.Title.String()), maxTitle),
		Notes:    notes(m),
		Lines:    bounded(a.Text.Lines()),
		Fields:   entries(a.Fields),
		Runbook:  alert.Link(a.Runbook),
	}
	v.Preheader = preheader(v)
	fact := func(label, value string) {
		if value = alert.Visible(value); value != "" {
			v.Facts = append(v.Facts, entry{label, clipHTML(value, maxLabel)})
		}
	}
	fact("Event", strings.TrimSpace(a.EventType+" "+a.EventID))
	fact("Topic", a.Topic)
	fact("Rule", a.Rule)
	if m.Digest != nil {
		fact("Group", a.KeyText())
	} else {
		fact("Key", a.KeyText())
	}
	fact("Alert", a.ID)
	return v
}

// notes returns the event's time and what is special about this message.
func notes(m channel.Message) []note {
	var notes []note
	add := func(text string, strong bool) { notes = append(notes, note{text, strong}) }
	const second, milli = "2 Jan 2006 15:04:05 MST", "2 Jan 2006 15:04:05.000 MST"
	zone := m.Location()
	if m.Test {
		add("This is a test of the channel, sent by hand. There is no event.", true)
	} else if d := m.Digest; d != nil {
		add("Events from "+d.First.In(zone).Format(second)+" to "+d.Last.In(zone).Format(second), false)
	} else if t := m.Alert.EventTime; !t.IsZero() {
		what := "Event of "
		if m.Alert.Notice() {
			what = "Noticed at "
		}
		when := what + t.In(zone).Format(milli)
		if name, _ := t.In(zone).Zone(); name != "UTC" {
			when += t.UTC().Format(" (15:04:05 UTC)")
		}
		if delay := m.Delay(); delay != "" {
			when += ", " + delay
		}
		_, late := m.Late()
		add(when, late)
	}
	if label := m.SpanLabel(); label != "" {
		add(strings.ToUpper(label[:1])+label[1:]+", it began "+m.Since.In(zone).Format(second), true)
	}
	if label := m.InsteadLabel(); label != "" {
		add("Sent here "+label, true)
	}
	if m.MayBeDuplicate {
		add("This may be a duplicate: an earlier attempt had no clear result.", true)
	}
	if m.Resent {
		add("A person had this message sent again.", true)
	} else if label := m.ReplayLabel(); label != "" {
		add("This is a "+label+": an earlier delivery failed, and an operator sent it again.", true)
	}
	if label := m.ThrottledLabel(zone); label != "" {
		if !m.SuppressedSince.IsZero() {
			label += m.SuppressedSince.In(zone).Format(" MST")
		}
		add(label+", throttled", true)
	}
	return notes
}

// colour is that of the bar with the severity, behind white text.
func colour(m channel.Message) string {
	switch {
	case m.Resolved():
		return "#067647"
	case m.Alert.Severity == alert.Critical:
		return "#b42318"
	case m.Alert.Severity == alert.Warning:
		return "#b54708"
	}
	return "#175cd3"
}

// entries returns the first fields that fit into maxFields, and a last entry
// with the number of omitted ones.
func entries(fields []alert.Field) []entry {
	var out []entry
	room := maxFields
	for i, f := range fields {
		e := entry{
			Label: clipHTML(alert.Visible(f.Label), maxLabel),
			Value: clipHTML(alert.Visible(f.Value.String()), maxValue),
		}
		if e.Value == "" {
			e.Value = "–"
		}
		if room -= rowFrame + htmlLen(e.Label) + htmlLen(e.Value); room < 0 {
			return append(out, entry{"…", fmt.Sprintf("%d more fields do not fit", len(fields)-i)})
		}
		out = append(out, e)
	}
	return out
}

// bounded truncates lines to maxText, with an ellipsis.
func bounded(lines []string) []string {
	room := maxText
	for i, line := range lines {
		const br = 8
		if n := htmlLen(line) + br; n > room {
			return append(lines[:i:i], clipHTML(line, max(room-br, br)))
		} else {
			room -= n
		}
	}
	return lines
}

func preheader(v *view) string {
	var parts []string
	for _, f := range v.Fields {
		parts = append(parts, f.Label+" "+f.Value)
	}
	return clipRunes(strings.Join(append(parts, v.Lines...), " · "), maxSubject)
}

// clipHTML truncates s at a rune boundary, with an ellipsis, to at most limit
// bytes of escaped HTML.
func clipHTML(s string, limit int) string {
	if htmlLen(s) <= limit {
		return s
	}
	room := limit - len("…")
	for i, r := range s {
		if room -= htmlLen(string(r)); room < 0 {
			return s[:i] + "…"
		}
	}
	return s
}

func htmlLen(s string) int { return len(template.HTMLEscapeString(s)) }

// clipRunes truncates s to n runes, with an ellipsis.
func clipRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return strings.TrimRight(string(runes[:n-1]), " ") + "…"
}

func (v *view) html() (string, error) {
	var b strings.Builder
	if err := page.Execute(&b, v); err != nil {
		return "", err
	}
	return b.String(), nil
}

// text renders the text/plain part.
func (v *view) text() string {
	var b strings.Builder
	paragraph := func(lines ...string) {
		if len(lines) == 0 {
			return
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		for _, line := range lines {
			b.WriteString(line + "\n")
		}
	}
	paragraph(v.Severity + ": " + v.Title)
	var notes []string
	for _, n := range v.Notes {
		notes = append(notes, n.Text)
	}
	paragraph(notes...)
	paragraph(v.Lines...)
	paragraph(columns(v.Fields)...)
	if v.Runbook != "" {
		paragraph("Runbook: " + v.Runbook)
	}
	if facts := columns(v.Facts); len(facts) > 0 {
		paragraph(append([]string{"-- "}, facts...)...)
	}
	return b.String()
}

// columns aligns the values after their labels.
func columns(entries []entry) []string {
	width := 0
	for _, e := range entries {
		width = max(width, min(utf8.RuneCountInString(e.Label), 24))
	}
	lines := make([]string, len(entries))
	for i, e := range entries {
		lines[i] = fmt.Sprintf("%-*s  %s", width, e.Label, e.Value)
	}
	return lines
}
