// Package alert defines Alert, which rules raise and channels send. Its texts are
// already evaluated.
package alert

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Severity is how urgent an alert is.
type Severity string

// The severities.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Critical Severity = "critical"
)

// Severities returns all severities, the least urgent first.
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

// State is whether what an alert is about is still so.
type State string

// The states.
const (
	Firing   State = ""         // its rule's condition was true
	Resolved State = "resolved" // its rule's condition for clearing was true
)

// Part is a piece of a text: a literal of the rules file, or a value of the event.
// Channels copy literals and escape values.
type Part struct {
	Text  string
	Value bool
}

// MarshalJSON writes a literal as a string and a value as {"v": …}.
func (p Part) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, len(p.Text)+len(`{"v":""}`))
	if !p.Value {
		return appendText(b, p.Text)
	}
	b, err := appendText(append(b, `{"v":`...), p.Text)
	return append(b, '}'), err
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Part) UnmarshalJSON(b []byte) error {
	inner, value := bytes.CutPrefix(b, []byte(`{"v":`))
	if value {
		inner = inner[:max(0, len(inner)-1)]
	}
	if n := len(inner); n > 1 && inner[0] == '"' && inner[n-1] == '"' && plain(string(inner[1:n-1])) {
		*p = Part{Text: string(inner[1 : n-1]), Value: value}
		return nil
	}
	if len(b) > 0 && b[0] == '"' {
		*p = Part{}
		return json.Unmarshal(b, &p.Text)
	}
	var v struct {
		V string `json:"v"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("text part: %w", err)
	}
	*p = Part{Text: v.V, Value: true}
	return nil
}

// appendText appends a JSON string.
func appendText(b []byte, text string) ([]byte, error) {
	if plain(text) {
		return append(append(append(b, '"'), text...), '"'), nil
	}
	quoted, err := marshal(text)
	return append(b, quoted...), err
}

// plain reports whether a text is written in JSON as it is: most are, and
// encoding/json is slow for what has so many parts.
func plain(text string) bool {
	ascii := true
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(text) && !strings.ContainsAny(text, "\u2028\u2029") // these are escaped for JavaScript
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
	State    State    `json:"state,omitempty"`
	// WorstSeverity is the worst that its rule can raise, the same for all its alerts;
	// empty: not known.
	WorstSeverity Severity `json:"worst_severity,omitempty"`
	// Key is the alert key, by which throttles group alerts. A missing part is
	// empty.
	Key []string `json:"key"`
	// KeyNames are the paths of the key's parts in the rules file, without "event.";
	// empty for a part that is no path. Silences match by them.
	KeyNames []string `json:"key_names,omitempty"`
	// Group is what one digest tells together, within the rule; nil: Key.
	Group     []string  `json:"group,omitempty"`
	Title     Text      `json:"title"`
	Text      Text      `json:"text,omitempty"`
	Fields    []Field   `json:"fields,omitempty"`
	EventTime time.Time `json:"event_time"`
	EventType string    `json:"event_type,omitempty"`
	EventID   string    `json:"event_id,omitempty"`
	Topic     string    `json:"topic"`
	Runbook   string    `json:"runbook,omitempty"`
	// Throttle is the interval in which at most one message per rule, alert key
	// and channel is sent; 0: no throttle.
	Throttle time.Duration `json:"throttle_ns,omitempty"`
	// Expire is the age from which the alert is no longer sent; 0: never.
	Expire time.Duration `json:"expire_ns,omitempty"`
	// Clears is set for alerts of a rule with clear: they belong to an episode of the rule
	// and alert key, which begins with a firing and ends with a resolved alert.
	Clears bool `json:"clears,omitempty"`
	// Remind is after how long without a message about an open episode it is told again;
	// 0: never.
	Remind time.Duration `json:"remind_ns,omitempty"`
	// Reminder numbers the reminders of an episode from 1; 0: the alert is none.
	Reminder int `json:"reminder,omitempty"`
	// Since is when the episode began, of a reminder, and of a resolved alert whose firing
	// another channel was told; else zero.
	Since     time.Time `json:"since,omitzero"`
	Shortened bool      `json:"shortened,omitempty"` // see Bound
	// Quiet is the calendar whose quiet hours keep the alert from being sent in the channel
	// that it is for, until QuietUntil; empty: none does.
	Quiet      string    `json:"quiet,omitempty"`
	QuietUntil time.Time `json:"quiet_until,omitzero"`
	// Channels are the channels to send to. They are not part of the JSON form.
	Channels []string `json:"-"`
	// QuietIn are those of Channels in which quiet hours keep it from being sent. They are
	// not part of the JSON form: see In.
	QuietIn []Quiet `json:"-"`
}

// Quiet is a channel of an alert in which quiet hours keep it from being sent.
type Quiet struct {
	Channel, Calendar string
	Until             time.Time
}

// In returns the alert as it is for one of its channels.
func (a *Alert) In(channel string) *Alert {
	for _, q := range a.QuietIn {
		if q.Channel == channel {
			quiet := *a
			quiet.Quiet, quiet.QuietUntil = q.Calendar, q.Until
			return &quiet
		}
	}
	return a
}

// GroupParts returns the parts of the alert's group within its rule.
func (a *Alert) GroupParts() []string {
	if a.Group != nil {
		return a.Group
	}
	return a.Key
}

// Notifier is the rule and the topic of notices. No other rule and no source topic has this
// name.
const Notifier = "notifier"

// Notice reports whether it is a notice: an alert of the notifier itself, which no event
// has raised.
func (a *Alert) Notice() bool { return a.Topic == Notifier }

// KeyText returns the parts of the alert key joined with "/".
func (a *Alert) KeyText() string { return strings.Join(a.Key, "/") }

// Class returns how urgent alerts of its rule can become: 0 where the worst is
// critical or not known, 1 where it is warning, 2 where all are info.
func (a *Alert) Class() int {
	if a.WorstSeverity.Rank() == 0 {
		return 0
	}
	return Critical.Rank() - max(a.WorstSeverity.Rank(), a.Severity.Rank())
}

// Source identifies one record, also after its topic is recreated if the broker
// has topic ids.
type Source struct {
	Cluster   string // cluster id
	Topic     string // topic id as text; the name if the broker has no ids
	Partition int32
	Offset    int64
}

// NewID returns the id of a rule's alert on one record: al_ and 26 characters.
func NewID(group string, src Source, rule string) string {
	return "al_" + digest(group, src.text(), rule)
}

// NewResolvedID returns the id of the alert that ends an episode of a rule.
func NewResolvedID(group string, src Source, rule string) string {
	return "al_" + digest(group, src.text(), rule, "resolved")
}

// NewReminderID returns the id of the n-th reminder of an episode that an alert began.
func NewReminderID(alertID string, n int) string {
	return "al_" + digest(alertID, "reminder", strconv.Itoa(n))
}

// NewDelivery returns the id of a delivery: dl_ and 26 characters.
func NewDelivery(alertID, channel string) string { return "dl_" + digest(alertID, channel) }

// NewEntry returns the id of the dead letter of a record that failed before its
// rules ran: re_ and 26 characters.
func NewEntry(group string, src Source) string { return "re_" + digest(group, src.text()) }

func (s Source) text() string {
	return s.Cluster + "\x00" + s.Topic + "\x00" + strconv.Itoa(int(s.Partition)) + "\x00" + strconv.FormatInt(s.Offset, 10)
}

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func digest(parts ...string) string {
	b := make([]byte, 0, 256)
	for i, part := range parts {
		if i > 0 {
			b = append(b, 0)
		}
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	text := make([]byte, 0, 52)
	return string(encoding.AppendEncode(text, sum[:])[:26])
}
