package pagerduty

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// PagerDuty's limits.
const (
	maxSummary = 1024       // characters
	maxDedup   = 255        // characters
	maxEvent   = 500 * 1000 // bytes of an event; PagerDuty takes 512 KB
)

// event is the body of a request (developer.pagerduty.com, "Send an Alert Event").
type event struct {
	RoutingKey string   `json:"routing_key"`
	Action     string   `json:"event_action"`
	DedupKey   string   `json:"dedup_key"`
	Client     string   `json:"client,omitempty"`
	Payload    *payload `json:"payload,omitempty"`
	Links      []link   `json:"links,omitempty"`
}

type payload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"` // critical, error, warning or info
	Timestamp string         `json:"timestamp,omitempty"`
	Component string         `json:"component,omitempty"` // the rule
	Group     string         `json:"group,omitempty"`     // the alert key
	Class     string         `json:"class,omitempty"`     // the event's type
	Details   map[string]any `json:"custom_details"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// eventOf returns the event of a message: one that resolves if m says that something is
// over, else one that triggers, without the routing key.
func eventOf(m channel.Message) event {
	if m.Resolved() && m.Digest == nil && !m.Test {
		return event{Action: "resolve", DedupKey: resolvedKey(m)}
	}
	return trigger(m)
}

// trigger returns the event of a message, without the routing key.
func trigger(m channel.Message) event {
	a, c := m.Alert, m.Content()
	e := event{Action: "trigger", DedupKey: dedupKey(m), Client: "notifier", Payload: &payload{
		Summary: alert.Shorten(c.Title.String(), maxSummary), Source: alert.Visible(a.Topic), Severity: string(severity(a.Severity)),
		Component: c.Rule, Class: alert.Visible(a.EventType), Details: details(m, c),
	}}
	if m.Digest == nil {
		e.Payload.Group = alert.Visible(a.KeyText())
	}
	if e.Payload.Source == "" {
		e.Payload.Source = "notifier" // a test has no event
	}
	if e.Payload.Summary == "" {
		e.Payload.Summary = "alert" // PagerDuty refuses an empty one
	}
	if !a.EventTime.IsZero() {
		e.Payload.Timestamp = a.EventTime.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	if c.Runbook != "" {
		e.Links = []link{{c.Runbook, "runbook"}}
	}
	return e
}

func severity(s alert.Severity) alert.Severity {
	if s.Rank() == 0 {
		return alert.Warning
	}
	return s
}

// dedupKey identifies the PagerDuty alert that a message belongs to: rule and alert key,
// so that alerts of one key are one incident while it is open. A digest has its group for
// a key, which by default is the alert key. Without a key each alert is its own incident;
// so is a test, and a digest of several groups.
func dedupKey(m channel.Message) string {
	parts := append([]string{m.Alert.Rule}, m.Alert.Key...)
	switch {
	case m.Test:
		return m.Delivery
	case m.Digest != nil && (m.Digest.Groups > 1 || len(m.Digest.Group) == 0):
		return m.Delivery
	case m.Digest != nil:
		parts = append(parts[:1:1], m.Digest.Group...)
	case len(m.Alert.Key) == 0:
		return m.Alert.ID
	}
	for i, p := range parts {
		parts[i] = strings.NewReplacer("%", "%25", "/", "%2F").Replace(p)
	}
	key := strings.Join(parts, "/")
	if visible := alert.Visible(key); visible != key || len(key) > maxDedup {
		sum := sha256.Sum256([]byte(key))
		digest := hex.EncodeToString(sum[:16])
		key = alert.ShortenBytes(visible, maxDedup-1-len(digest)) + "~" + digest
	}
	return key
}

// resolvedKey is the dedup key of the alert that a resolved message ends: that of its
// alert key, and without a key that of the first message.
func resolvedKey(m channel.Message) string {
	if len(m.Alert.Key) == 0 && m.Opened != "" && len(m.Opened) <= maxDedup && alert.Visible(m.Opened) == m.Opened {
		return m.Opened
	}
	return dedupKey(m)
}

// details returns the custom details: the fields under their labels, the text, the rows
// of a digest, and what else a responder needs.
func details(m channel.Message, c channel.Content) map[string]any {
	d := make(map[string]any)
	add := func(name string, value any) {
		unique := name
		for n := 2; d[unique] != nil; n++ {
			unique = fmt.Sprintf("%s (%d)", name, n)
		}
		d[unique] = value
	}
	for _, f := range c.Fields {
		add(f.Label, f.Value.String())
	}
	var lines []string
	for _, line := range c.Lines {
		lines = append(lines, line.String())
	}
	switch {
	case m.Digest != nil:
		add("alerts", lines)
		if c.More > 0 {
			add("more alerts", c.More)
		}
	case len(lines) > 0:
		add("text", strings.Join(lines, "\n"))
	}
	if len(c.Notes) > 0 {
		add("notes", strings.Join(c.Notes, ", "))
	}
	if m.Digest == nil && m.Alert.ID != "" {
		add("alert id", alert.Visible(m.Alert.ID))
	}
	if m.Alert.EventID != "" && m.Digest == nil {
		add("event id", alert.Visible(m.Alert.EventID))
	}
	return d
}

// encode returns the event as JSON. Where it is larger than maxEvent it has no details.
func (e event) encode() ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil || len(body) <= maxEvent || e.Payload == nil {
		return body, err
	}
	short := *e.Payload
	short.Details = map[string]any{"notes": "the details are too large for PagerDuty"}
	e.Payload = &short
	return json.Marshal(e)
}
