package channel

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/algotrade/notifier/internal/alert"
)

// Bounds of another channel's name, and of why it cannot send, in runes.
const (
	maxName  = 64
	maxCause = 200
)

// Location is the zone of the times in texts.
func (m Message) Location() *time.Location {
	if m.Zone == nil {
		return time.UTC
	}
	return m.Zone
}

// Resolved reports whether what the alert is about is over.
func (m Message) Resolved() bool { return m.Alert.State == alert.Resolved }

// Heading is what the title of a message begins with: "CRITICAL", "Warning",
// "Warning reminder", "Resolved".
func (m Message) Heading() string {
	text := "Alert"
	switch m.Alert.Severity {
	case alert.Critical:
		text = "CRITICAL"
	case alert.Warning:
		text = "Warning"
	case alert.Info:
		text = "Info"
	}
	switch {
	case m.Resolved():
		return "Resolved"
	case m.Reminder:
		return text + " reminder"
	}
	return text
}

// mark is the heading behind a symbol of its colour.
func (m Message) mark() string {
	symbol := "🔵"
	switch {
	case m.Resolved():
		symbol = "✅"
	case m.Alert.Severity == alert.Critical:
		symbol = "🔴"
	case m.Alert.Severity == alert.Warning:
		symbol = "🟠"
	}
	return symbol + " " + m.Heading()
}

// Colour is that of a message, as 0xRRGGBB, where a medium has a bar or an edge for it.
func (m Message) Colour() int {
	switch {
	case m.Resolved():
		return 0x2EB67D
	case m.Alert.Severity == alert.Critical:
		return 0xE01E5A
	case m.Alert.Severity == alert.Warning:
		return 0xECB22E
	}
	return 0x36C5F0
}

// SpanLabel returns for how long it was, or still is, what the alert is about:
// "resolved after 12 m 3 s", "firing for 1 h 5 m". It is empty for other messages, and
// where the beginning is not known.
func (m Message) SpanLabel() string {
	switch {
	case m.Since.IsZero() || m.Digest != nil:
	case m.Resolved() && !m.Alert.EventTime.Before(m.Since):
		return "resolved after " + Duration(m.Alert.EventTime.Sub(m.Since))
	case m.Reminder && !m.Resolved() && !m.Now.Before(m.Since):
		return "firing for " + Duration(m.Now.Sub(m.Since))
	}
	return ""
}

// InsteadLabel returns which channel the message was meant for, and why that cannot
// send: "instead of desk-slack (suspended: invalid_auth)". It is empty for other
// messages.
func (m Message) InsteadLabel() string {
	if m.Instead == nil {
		return ""
	}
	label := "instead of " + alert.Shorten(withoutMarkup(m.Instead.Channel), maxName)
	if cause := alert.Shorten(withoutMarkup(m.Instead.Cause), maxCause); cause != "" {
		label += " (" + cause + ")"
	}
	return label
}

// Delay returns the time from the event to this attempt: "3 ms after the
// event", or "4 m 10 s late" from LateAfter on. It is empty without an event
// time, for a test, a digest and a reminder, and for a notice that is not late.
func (m Message) Delay() string {
	if m.Alert.EventTime.IsZero() || m.Test || m.Digest != nil || m.Reminder {
		return ""
	}
	d, late := m.Late()
	switch {
	case late:
		return Duration(d) + " late"
	case m.Alert.Notice():
		return ""
	case d < 0:
		return Duration(-d) + " before the event"
	}
	return Duration(d) + " after the event"
}

// ReplayLabel returns "replay", "replay 2" and so on for a replayed dead
// letter, "sent again by a person" for a resent alert, and is empty for other messages.
func (m Message) ReplayLabel() string {
	if m.Resent {
		return "sent again by a person"
	}
	switch m.Replay {
	case 0:
		return ""
	case 1:
		return "replay"
	}
	return fmt.Sprintf("replay %d", m.Replay)
}

// TestLabel marks a test message; it is empty for other messages.
func (m Message) TestLabel() string {
	if m.Test {
		return "a test"
	}
	return ""
}

// EventTime formats the event's time in zone: 14:31:05, with the day unless it
// is today. It is empty when the alert has no event time.
func (m Message) EventTime(zone *time.Location) string {
	at := m.Alert.EventTime.In(zone)
	switch {
	case m.Alert.EventTime.IsZero():
		return ""
	case at.Format(time.DateOnly) == m.Now.In(zone).Format(time.DateOnly):
		return at.Format(time.TimeOnly)
	}
	return at.Format("2 Jan 15:04:05")
}

// ThrottledLabel returns how many alerts were throttled since the last message,
// and from when, in zone: "+14 since 09:31", with the day unless it is today.
// It is empty when there were none.
func (m Message) ThrottledLabel(zone *time.Location) string {
	if m.Suppressed == 0 {
		return ""
	}
	if m.SuppressedSince.IsZero() {
		return fmt.Sprintf("+%d", m.Suppressed)
	}
	since, layout := m.SuppressedSince.In(zone), "15:04"
	if since.Format(time.DateOnly) != m.Now.In(zone).Format(time.DateOnly) {
		layout = "2 Jan 15:04"
	}
	return fmt.Sprintf("+%d since %s", m.Suppressed, since.Format(layout))
}

// withoutMarkup returns a text of another provider's without what is markup, a mention or
// a link in some medium.
func withoutMarkup(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-.,:;()%'+=⟨⟩ ", r) {
			return r
		}
		return ' '
	}, alert.Visible(s))), " ")
}

// Duration formats d with its two largest units: 3 ms, 1.5 s, 4 m 10 s,
// 2 h 5 m, 3 d 4 h.
func Duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d m %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%d h %d m", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
}
