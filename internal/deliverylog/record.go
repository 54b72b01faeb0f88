// Package deliverylog is the delivery log: one record for each delivery that has
// ended, with its decision, its attempts and the provider's receipt. The Writer never
// holds up what was sent; the Reader needs no daemon.
package deliverylog

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

// Version is the version of the format that is written.
const Version = 1

// Decision is how a delivery ended, with the words of notifier_deliveries_total.
// Readers accept words that they do not know.
type Decision string

// The decisions.
const (
	Delivered    Decision = "delivered"
	Digested     Decision = "digested" // delivered in a message for several alerts
	DeadLettered Decision = "dead_lettered"
	Throttled    Decision = "throttled"
	Expired      Decision = "expired"
	Silenced     Decision = "silenced" // by a silence, or by quiet hours
	Rerouted     Decision = "rerouted" // to another channel, which has a record of its own
	Dropped      Decision = "dropped"  // a notice of the notifier itself that the channel will never take
)

// Decisions returns the decisions that this version writes.
func Decisions() []Decision {
	return []Decision{Delivered, Digested, DeadLettered, Throttled, Expired, Silenced, Rerouted, Dropped}
}

// Record is one delivery that ended, and the JSON form of the log. A crash can
// write it twice.
type Record struct {
	Version  int       `json:"version"`
	Decision Decision  `json:"decision"`
	Ended    time.Time `json:"ended"`
	Alert    string    `json:"alert"`    // its id, and the key of the record: an alert's deliveries are in one partition
	Delivery string    `json:"delivery"` // its id
	Channel  string    `json:"channel"`
	Rule     string    `json:"rule"`
	Severity string    `json:"severity"`
	State    string    `json:"state,omitempty"`    // "resolved" of an alert that ends an episode
	Reminder int       `json:"reminder,omitempty"` // which reminder of its episode it was, from 1
	Key      []string  `json:"key"`                // the alert key
	KeyNames []string  `json:"key_names,omitempty"`
	Group    []string  `json:"group,omitempty"` // absent: as the key
	Title    string    `json:"title"`           // without markup
	Fields   []Field   `json:"fields,omitempty"`
	Event    Event     `json:"event"`
	Outbox   Place     `json:"outbox"` // the delivery's record in the outbox of the channel
	Received time.Time `json:"received"`
	// Attempts are the first and the last of the attempts; Omitted is how many between
	// them are left out.
	Attempts []Attempt `json:"attempts"`
	Omitted  int       `json:"attempts_omitted,omitempty"`
	// Earlier is how many attempts a former owner of the outbox made, as far as it
	// counted them.
	Earlier        int    `json:"earlier_attempts,omitempty"`
	Receipt        string `json:"receipt,omitempty"` // the provider's id of the message
	Digest         string `json:"digest,omitempty"`  // the delivery whose message it was in, of a digested one
	MayBeDuplicate bool   `json:"may_be_duplicate,omitempty"`
	Replay         int    `json:"replay,omitempty"`    // which replay of a dead letter it was, from 1
	ResentBy       string `json:"resent_by,omitempty"` // who had it sent again after it was settled
	To             string `json:"to,omitempty"`        // the other channel, of a rerouted one
	Silence        string `json:"silence,omitempty"`   // the id of the silence, or the calendar of the quiet hours, of a silenced one
	// Reason, Cause and Detail say why it was not delivered.
	Reason outcome.Reason `json:"reason,omitempty"`
	Cause  outcome.Cause  `json:"cause,omitempty"`
	Detail string         `json:"detail,omitempty"`
	Client string         `json:"client"`        // the daemon's client id
	Cut    bool           `json:"cut,omitempty"` // texts were shortened to fit into MaxSize
}

// Field is a field of the alert, without markup.
type Field struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// Event is where the event stands and what it says of itself.
type Event struct {
	Topic     string    `json:"topic"`
	TopicID   string    `json:"topic_id,omitempty"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	ID        string    `json:"id,omitempty"`
	Type      string    `json:"type,omitempty"`
	Time      time.Time `json:"time"`
}

// String returns topic/partition@offset.
func (e Event) String() string { return fmt.Sprintf("%s/%d@%d", e.Topic, e.Partition, e.Offset) }

// Place is where a record stands in its topic.
type Place struct {
	TopicID   string `json:"topic_id,omitempty"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Attempt is one attempt to send.
type Attempt struct {
	Started  time.Time     `json:"started"`
	Duration Seconds       `json:"duration_seconds"`
	Result   string        `json:"result"` // as in notifier_delivery_attempts_total
	Cause    outcome.Cause `json:"cause,omitempty"`
	Detail   string        `json:"detail,omitempty"`
}

// Seconds is a duration that is a number of seconds in JSON, to the microsecond.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return s.append(nil), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var n float64
	if _, err := fmt.Sscanf(string(b), "%g", &n); err != nil || !(n >= 0 && n < 1e9) {
		return fmt.Errorf("%.32q is not a number of seconds", b)
	}
	*s = Seconds(n * float64(time.Second))
	return nil
}

// New returns the record of a delivery without what became of it.
func New(e *envelope.Envelope) *Record {
	a, s := e.Alert, &e.Source
	r := &Record{
		Version: Version, Alert: a.ID, Delivery: e.Delivery, Channel: e.Channel, Rule: a.Rule, Severity: string(a.Severity), State: string(a.State), Reminder: a.Reminder, Key: a.Key, KeyNames: a.KeyNames, Group: a.Group, Title: a.Title.String(),
		Event: Event{Topic: s.Topic, TopicID: s.TopicID, Partition: s.Partition, Offset: s.Offset, ID: a.EventID, Type: a.EventType, Time: a.EventTime},
	}
	for _, f := range a.Fields {
		r.Fields = append(r.Fields, Field{f.Label, f.Value.String()})
	}
	switch {
	case e.Resent():
		r.ResentBy = e.Replay.By
	case e.Replay != nil:
		r.Replay = e.Replay.Number
	}
	return r
}

// Text returns the title, and that the alert is a resolved one or a reminder.
func (r *Record) Text() string {
	switch {
	case r.State == string(alert.Resolved):
		return "Resolved: " + r.Title
	case r.Reminder > 0:
		return fmt.Sprintf("Reminder %d: %s", r.Reminder, r.Title)
	}
	return r.Title
}

// KeyText returns the parts of the alert key joined with "/".
func (r *Record) KeyText() string { return strings.Join(r.Key, "/") }

// Why says why the delivery was not sent, or where it went; empty: it was delivered.
func (r *Record) Why() string {
	detail := ""
	if r.Detail != "" {
		detail = ": " + r.Detail
	}
	switch r.Decision {
	case Delivered:
		return ""
	case Rerouted:
		return "to " + r.To + detail
	case DeadLettered:
		return fmt.Sprintf("%s (%s)%s", r.Reason, r.Cause, detail)
	}
	return r.Detail
}

// Raised returns the alert of the record, as far as the record has it.
func (r *Record) Raised() *alert.Alert {
	a := &alert.Alert{
		ID: r.Alert, Rule: r.Rule, Severity: alert.Severity(r.Severity), Key: r.Key, KeyNames: r.KeyNames, Group: r.Group, Topic: r.Event.Topic,
		EventType: r.Event.Type, EventID: r.Event.ID, EventTime: r.Event.Time, Title: alert.Text{{Text: r.Title, Value: true}},
	}
	for _, f := range r.Fields {
		a.Fields = append(a.Fields, alert.Field{Label: f.Label, Value: alert.Text{{Text: f.Value, Value: true}}})
	}
	return a
}

// Tried returns how many attempts were made, those of former owners included.
func (r *Record) Tried() int { return r.Earlier + len(r.Attempts) + r.Omitted }

// Attempts collects the attempts of a delivery: the first and the last few.
type Attempts struct {
	list    []Attempt
	omitted int
}

const firstAttempts, lastAttempts = 3, 3

// Add adds the next attempt.
func (a *Attempts) Add(next Attempt) {
	if len(a.list) == firstAttempts+lastAttempts {
		copy(a.list[firstAttempts:], a.list[firstAttempts+1:])
		a.list[len(a.list)-1] = next
		a.omitted++
		return
	}
	a.list = append(a.list, next)
}

// To sets the attempts of a record.
func (a *Attempts) To(r *Record) { r.Attempts, r.Omitted = a.list, a.omitted }

var errForeign = errors.New("not a record of the delivery log")

// Parse reads a record of the log. Its texts can hold anything.
func Parse(r *kgo.Record) (*Record, error) { return decode(r.Value) }
