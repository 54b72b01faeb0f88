package channel

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/alert"
)

// Bounds of a digest's parts, in runes.
const (
	maxGroup = 100 // of what the alerts have in common
	maxRow   = 150 // of an alert's title
)

// Flat returns a digest as a message of one alert, whose title says what the digest is
// about and whose text lists alerts, one a line: as many as fit into so many lines of
// so many runes in all, with how many there are besides. Times are in zone. Other
// messages are returned as they are.
func (m Message) Flat(zone *time.Location, lines, runes int) Message {
	d := m.Digest
	if d == nil {
		return m
	}
	a := &m.Alert
	a.Title = alert.Text{{Text: d.subject(a), Value: true}, {Text: ": "}, {Text: m.since(zone)}}
	a.Text = m.rows(zone, lines, runes)
	a.Fields, a.EventType, a.EventID = nil, "", ""
	a.Key, a.Group = d.Group, nil
	if d.Groups > 1 {
		a.Rule = fmt.Sprintf("%d groups", d.Groups)
	}
	return m
}

// subject is what the alerts have in common.
func (d *Digest) subject(a *alert.Alert) string {
	if d.Groups > 1 {
		return fmt.Sprintf("%d groups", d.Groups)
	}
	return alert.Shorten(strings.TrimSpace(a.Rule+" "+alert.Visible(strings.Join(d.Group, "/"))), maxGroup)
}

// since says how many alerts there were since when, and how many of them are new.
func (m Message) since(zone *time.Location) string {
	d := m.Digest
	text := fmt.Sprintf("%s alerts since %s", humanize.Comma(int64(d.Alerts)), m.clock(d.First, zone))
	if d.New > 0 && d.New < d.Alerts {
		text += fmt.Sprintf(", %s new", humanize.Comma(int64(d.New)))
	}
	return text
}

// clock formats a time in zone, with the day unless it is today.
func (m Message) clock(at time.Time, zone *time.Location) string {
	layout := "15:04:05 MST"
	if at = at.In(zone); at.Format(time.DateOnly) != m.Now.In(zone).Format(time.DateOnly) {
		layout = "2 Jan " + layout
	}
	return at.Format(layout)
}

// rows lists the digest's items.
func (m Message) rows(zone *time.Location, lines, runes int) alert.Text {
	d, text := m.Digest, alert.Text(nil)
	shown := 0
	for _, a := range d.Items {
		row := a.EventTime.In(zone).Format(time.TimeOnly) + " " + d.word(a)
		row += alert.Shorten(alert.Visible(a.Title.String()), maxRow)
		const rest = len("and 1,000,000 more")
		if runes -= 1 + utf8.RuneCountInString(row); runes < rest || shown+1 == lines && d.Alerts > lines {
			break
		}
		text = append(text, alert.Part{Text: row, Value: true}, alert.Part{Text: "\n"})
		shown++
	}
	if more := d.Alerts - shown; more > 0 && shown > 0 {
		text = append(text, alert.Part{Text: fmt.Sprintf("and %s more", humanize.Comma(int64(more)))})
	}
	return text
}

// word is what a row begins with besides the time: "resolved ", or the severity where
// the rows have several.
func (d *Digest) word(a alert.Alert) string {
	mixed := func() bool {
		for _, item := range d.Items {
			if item.Severity != d.Items[0].Severity {
				return true
			}
		}
		return false
	}
	switch {
	case a.State == alert.Resolved:
		return "resolved "
	case !mixed():
		return ""
	case a.Severity == alert.Critical:
		return "CRITICAL "
	}
	return alert.Visible(string(a.Severity)) + " "
}
