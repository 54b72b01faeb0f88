package ruletest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/backtest"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Messages is what a channel sends: how many messages, or each of them.
type Messages struct {
	number int
	list   []Message // nil: only their number is expected
}

// UnmarshalYAMLDoc implements yamldoc.Unmarshaler.
func (m *Messages) UnmarshalYAMLDoc(at yamldoc.Cursor) {
	if at.IsSequence() {
		m.list = []Message{}
		at.Decode(&m.list)
		return
	}
	text, ok := at.Scalar()
	if !ok {
		return
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		at.Fault("%q is neither a number of messages nor a list of them", text)
	}
	m.number = n
}

// count returns how many messages are expected.
func (m *Messages) count() int {
	if m.list != nil {
		return len(m.list)
	}
	return m.number
}

// Message is a message that a channel sends. What is not given may be anything.
type Message struct {
	// After is when the message is sent, since the clock started.
	After *time.Duration `yaml:"after"`
	// By is when the message is sent at the latest, since the clock started.
	By *time.Duration `yaml:"by"`
	// Severity of the message.
	Severity string `yaml:"severity"`
	// State is one of firing, resolved and reminder.
	State string `yaml:"state"`
	// Members is the number of alerts of a digest.
	Members *int `yaml:"members"`
	// Edit is true if the message replaces the digest before it.
	Edit *bool `yaml:"edit"`
	// Title of the message.
	Title *string `yaml:"title"`
	// Text is a part of the lines below the title.
	Text *string `yaml:"text"`

	at yamldoc.Cursor
}

// messageKeys are the keys of a Message, in the order in which they are written.
var messageKeys = []string{"after", "by", "severity", "state", "members", "edit", "title", "text"}

// reminder is the state of a message that tells an open episode again.
const reminder = "reminder"

// CheckYAML implements yamldoc.Checker.
func (m *Message) CheckYAML(at yamldoc.Cursor) {
	m.at = at
	if m.Severity != "" && alert.Severity(m.Severity).Rank() == 0 {
		at.Field("severity").Fault("%q is not one of info, warning and critical", m.Severity)
	}
	if m.State != "" && !slices.Contains([]string{firing, string(alert.Resolved), reminder}, m.State) {
		at.Field("state").Fault("%q is not one of firing, resolved and reminder", m.State)
	}
}

// Suppressed says how often alerts of a rule are not told as a message of their own.
type Suppressed struct {
	// Rule of the alerts.
	Rule string `yaml:"rule"`
	// Decision is why the alerts are not sent.
	Decision string `yaml:"decision"`
	// Channel that does not send them; default: any.
	Channel string `yaml:"channel"`
	// Count of the alerts; default: at least one.
	Count *int `yaml:"count"`

	at yamldoc.Cursor
}

// CheckYAML implements yamldoc.Checker.
func (s *Suppressed) CheckYAML(at yamldoc.Cursor) {
	s.at = at
	if s.Rule == "" {
		at.Field("rule").Fault("is missing")
	}
	if s.Count != nil && *s.Count < 0 {
		at.Field("count").Fault("is negative")
	}
	known := []string{string(deliverylog.Throttled), string(deliverylog.Digested), string(deliverylog.Silenced), string(deliverylog.Expired)}
	if !slices.Contains(known, s.Decision) {
		at.Field("decision").Fault("%q is not one of %s", s.Decision, strings.Join(known, ", "))
	}
}

// stateOf returns the state of a message.
func stateOf(m *backtest.Message) string {
	switch {
	case m.Resolved:
		return string(alert.Resolved)
	case m.Reminder:
		return reminder
	}
	return firing
}

// value returns one key of a message that was sent, as a test has it.
func (s *sent) value(key string, m *backtest.Message) string {
	switch key {
	case "after", "by":
		return durationText(m.At.Sub(s.start))
	case "severity":
		return string(m.Severity)
	case "state":
		return stateOf(m)
	case "members":
		return strconv.Itoa(m.Members)
	case "edit":
		return strconv.FormatBool(m.Edit)
	case "title":
		return m.Title
	}
	return m.Text
}

// difference returns how one key of a message differs from the expected one.
func (m *Message) difference(key, got string) string {
	want, quote := m.expected(key)
	switch {
	case want == nil || *want == got:
		return ""
	case key == "by":
		if at, err := duration.Parse(got); err == nil && at <= *m.By {
			return ""
		}
		return fmt.Sprintf("after is %s, expected by %s", got, *want)
	case key == "text" && strings.Contains(got, *want):
		return ""
	case key == "text":
		return fmt.Sprintf("text has no %q: %q", *want, got)
	case quote:
		return fmt.Sprintf("%s is %q, expected %q", key, got, *want)
	}
	return fmt.Sprintf("%s is %s, expected %s", key, got, *want)
}

// expected returns one key as it is expected, as value has it; nil: it may be anything.
func (m *Message) expected(key string) (want *string, quote bool) {
	text := func(s string) *string { return &s }
	switch {
	case key == "after" && m.After != nil:
		return text(durationText(*m.After)), false
	case key == "by" && m.By != nil:
		return text(durationText(*m.By)), false
	case key == "severity" && m.Severity != "":
		return &m.Severity, false
	case key == "state" && m.State != "":
		return &m.State, false
	case key == "members" && m.Members != nil:
		return text(strconv.Itoa(*m.Members)), false
	case key == "edit" && m.Edit != nil:
		return text(strconv.FormatBool(*m.Edit)), false
	case key == "title":
		return m.Title, true
	case key == "text":
		return m.Text, true
	}
	return nil, false
}

// durationText returns a duration as tests have it, in milliseconds.
func durationText(d time.Duration) string { return duration.Text(d.Round(time.Millisecond)) }
