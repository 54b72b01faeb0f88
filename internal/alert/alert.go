// Package alert defines what a rule raises and a channel carries. An Alert is
// complete: its texts are evaluated, so nothing can fail when it is sent.
package alert

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Severity is how urgent an alert is.
type Severity string

// The severities.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Severities returns all severities, the mildest first.
func Severities() []Severity { return []Severity{Info, Warning, Critical} }

// Rank orders severities: a higher rank is more urgent. Unknown ones rank 0.
func (s Severity) Rank() int {
	for i, known := range Severities() {
		if s == known {
			return i + 1
		}
	}
	return 0
}

// Part is a piece of a text: a literal that the rule's author wrote, or a
// value that came from an event. A channel copies literals and escapes values
// for its medium.
type Part struct {
	Text  string
	Value bool
}

// MarshalJSON writes a literal as a string and a value as {"v": …}.
func (p Part) MarshalJSON() ([]byte, error) {
	if p.Value {
		return marshal(map[string]string{"v": p.Text})
	}
	return marshal(p.Text)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Part) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*p = Part{}
		return json.Unmarshal(b, &p.Text)
	}
	var v struct {
		V string `json:"v"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("part of a text: %w", err)
	}
	*p = Part{Text: v.V, Value: true}
	return nil
}

// Text is a text in parts.
type Text []Part

// String returns the text as plain characters, unescaped.
func (t Text) String() string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.Text)
	}
	return b.String()
}

// Field is a labelled value below an alert's title.
type Field struct {
	Label string `json:"label"`
	Value Text   `json:"value"`
}

// Alert is one match of one rule on one event.
type Alert struct {
	ID       string   `json:"id"`
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	// Key is the alert key: the identity that throttles compare. A missing
	// part is an empty string.
	Key    []string `json:"key"`
	Title  Text     `json:"title"`
	Text   Text     `json:"text,omitempty"`
	Fields []Field  `json:"fields,omitempty"`
	// EventTime is when the event happened, EventType and EventID what it
	// called itself; the latter two may be empty.
	EventTime time.Time `json:"event_time"`
	EventType string    `json:"event_type,omitempty"`
	EventID   string    `json:"event_id,omitempty"`
	Topic     string    `json:"topic"`
	Runbook   string    `json:"runbook,omitempty"`
	// Throttle is the time in which at most one message per rule, alert key
	// and channel is sent; zero: no throttle.
	Throttle time.Duration `json:"throttle_ns,omitempty"`
	// Expire is the age beyond which the alert is not sent any more; zero: never.
	Expire time.Duration `json:"expire_ns,omitempty"`
	// Shortened is true where something of it was cut: see Bound.
	Shortened bool `json:"shortened,omitempty"`
	// Channels are the names of the channels it goes to. They are resolved
	// when the rule matches and do not travel with the alert.
	Channels []string `json:"-"`
}

// KeyText returns the alert key as people see it: its parts joined with "/".
func (a *Alert) KeyText() string { return strings.Join(a.Key, "/") }

// Source identifies one record for ever: also when its topic is recreated,
// where the broker has topic ids.
type Source struct {
	Cluster   string // the cluster's id
	Topic     string // the topic's id as text, its name where the broker has no ids
	Partition int32
	Offset    int64
}

// NewID returns the id of the alert that rule raises on the record src for
// group: al_ and 26 characters.
func NewID(group string, src Source, rule string) string {
	return "al_" + digest(group, src.text(), rule)
}

// NewDelivery returns the id of one alert's delivery to one channel: dl_ and
// 26 characters.
func NewDelivery(alertID, channel string) string { return "dl_" + digest(alertID, channel) }

// NewEntry returns the id of a record that failed before its rules ran: re_
// and 26 characters.
func NewEntry(group string, src Source) string { return "re_" + digest(group, src.text()) }

func (s Source) text() string {
	return fmt.Sprintf("%s\x00%s\x00%d\x00%d", s.Cluster, s.Topic, s.Partition, s.Offset)
}

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return encoding.EncodeToString(sum[:])[:26]
}
