package webhook

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// payload is the JSON of the alert.
type payload struct {
	ID       string   `json:"id"`
	Delivery string   `json:"delivery"`
	Rule     string   `json:"rule"`
	Severity string   `json:"severity"`
	Key      []string `json:"key"`
	Group    string   `json:"group"`
	Title    string   `json:"title"`
	Text     string   `json:"text,omitempty"`
	Fields   []field  `json:"fields"`
	State    string   `json:"state"` // firing or resolved
	// Since is when what the alert is about began: of a reminder and of a resolved alert.
	Since       *time.Time `json:"since,omitempty"`
	Reminder    bool       `json:"reminder,omitempty"`
	Instead     *instead   `json:"instead,omitempty"`
	EventTime   time.Time  `json:"event_time"`
	EventType   string     `json:"event_type,omitempty"`
	EventID     string     `json:"event_id,omitempty"`
	Topic       string     `json:"topic"`
	Runbook     string     `json:"runbook,omitempty"`
	Count       int        `json:"count"` // the new alerts and those throttled since the last message
	Duplicate   bool       `json:"may_be_duplicate,omitempty"`
	Replay      int        `json:"replay,omitempty"` // see channel.Message
	Resent      bool       `json:"resent,omitempty"` // see channel.Message
	Test        bool       `json:"test,omitempty"`
	LateSeconds float64    `json:"late_seconds,omitempty"`
	Shortened   bool       `json:"shortened,omitempty"` // see alert.Bound
	// EventOmitted: the receiver refused the request with the event as too large.
	EventOmitted bool    `json:"event_omitted,omitempty"`
	Digest       *digest `json:"digest,omitempty"`
}

// instead is the channel that the message was meant for, and why it cannot send.
type instead struct {
	Channel string `json:"channel"`
	Cause   string `json:"cause"`
}

type field struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

func state(s alert.State) string {
	if s == alert.Firing {
		return "firing"
	}
	return string(s)
}

// render returns the body: {"alert": {…}, "event": …}. The event is the source
// record's value, unchanged; one that is not JSON is in event_base64. Without the
// event it is null.
func render(m channel.Message, withEvent bool) ([]byte, error) {
	a := m.Alert
	p := payload{
		ID: a.ID, Delivery: m.Delivery, Rule: a.Rule, Severity: string(a.Severity), Key: a.Key, Group: strings.Join(a.GroupParts(), "/"),
		Title: a.Title.String(), Text: a.Text.String(), Fields: make([]field, len(a.Fields)), State: state(a.State), Reminder: m.Reminder,
		EventTime: a.EventTime.UTC(), EventType: a.EventType, EventID: a.EventID, Topic: a.Topic, Runbook: alert.Link(a.Runbook), Shortened: a.Shortened,
		EventOmitted: !withEvent, Count: 1 + m.Suppressed, Duplicate: m.MayBeDuplicate, Replay: m.Replay, Resent: m.Resent, Test: m.Test,
	}
	if m.Digest != nil {
		p.Digest, p.Count = newDigest(m.Digest), m.Digest.New+m.Suppressed
	}
	if p.Key == nil {
		p.Key = []string{}
	}
	if since := m.Since.UTC(); !since.IsZero() {
		p.Since = &since
	}
	if m.Instead != nil {
		p.Instead = &instead{m.Instead.Channel, m.Instead.Cause}
	}
	for i, f := range a.Fields {
		p.Fields[i] = field{Label: f.Label, Value: f.Value.String()}
	}
	if late, is := m.Late(); is {
		p.LateSeconds = late.Seconds()
	}
	b, err := p.appendJSON(append(make([]byte, 0, 1024+len(m.Event)), `{"alert":`...))
	if err != nil {
		return nil, err
	}
	switch {
	case m.Event == nil, !withEvent:
		b = append(b, `,"event":null}`...)
	case json.Valid(m.Event):
		b = append(append(append(b, `,"event":`...), m.Event...), '}')
	default:
		b = base64.StdEncoding.AppendEncode(append(b, `,"event":null,"event_base64":"`...), m.Event)
		b = append(b, `"}`...)
	}
	return b, nil
}
