// Package dlq keeps what could not be handled: an Entry is the envelope of a
// record or a delivery with why it failed, written to a compacted topic under
// the entry's id, and closed by a tombstone that says who closed it and why.
// Nothing about an entry is kept anywhere else: its state follows from the
// dead-letter topics and from the requests to replay it. Start reading at
// Entry, then Writer, Reader and Index.
package dlq

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

// State is where an entry stands.
type State string

// The states. Open and Quarantined are written; Waiting is an entry with an
// unsettled request to replay it, see replay.Each; Malformed is a record that is
// not in the format; Resolved and Discarded are closed.
const (
	Open        State = "open"
	Waiting     State = "waiting"
	Quarantined State = "quarantined"
	Malformed   State = "malformed"
	Resolved    State = "resolved"
	Discarded   State = "discarded"
)

// States returns every state, in the order above.
func States() []State { return []State{Open, Waiting, Quarantined, Malformed, Resolved, Discarded} }

// Entry is one dead letter.
type Entry struct {
	// ID is the delivery's id, or re_… for a record that failed before its
	// rules ran. It is the record's key and is never reused. A key that is not
	// plain text, which only a malformed record has, is shown as 0x… here.
	ID       string
	Envelope *envelope.Envelope

	Reason outcome.Reason
	Scope  outcome.Scope
	Cause  outcome.Cause
	// Detail is for people: at most MaxDetail bytes, without secrets, payload
	// or control characters.
	Detail                  string
	Attempts                int
	FirstFailed, LastFailed time.Time
	Recipients              []string // those that were refused; empty: not about recipients
	Replays                 int
	State                   State
	EditedBy                string // who edited the value for the last replay; "": nobody

	// Where the entry was read: its topic, partition and offset there, which is
	// its version, and the record's key and size. Pointer is true when its value
	// was too large to be kept here and must be read at its source.
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte
	Size      int
	Pointer   bool

	// Record is what the entry was read from, where the query asks for it.
	Record *kgo.Record

	// Closed says how a resolved or discarded entry was closed.
	Closed *Closing

	// FailedRule is the rule that a record failed in; empty for a delivery, whose
	// alert names its rule, and for a record that no rule has seen.
	FailedRule string

	fingerprint string // as written
}

// MaxDetail is the longest detail that is kept, in bytes.
const MaxDetail = 1024

const (
	hReason      = "notifier.reason"
	hScope       = "notifier.scope"
	hCause       = "notifier.cause"
	hFingerprint = "notifier.fingerprint"
	hDetail      = "notifier.detail"
	hAttempts    = "notifier.attempts"
	hFirstFailed = "notifier.first-failed"
	hLastFailed  = "notifier.last-failed"
	hRecipients  = "notifier.recipients"
	hReplays     = "notifier.replays"
	hState       = "notifier.state"
	hPointer     = "notifier.pointer"
	hEditedBy    = "notifier.edited-by"
	hRule        = "notifier.rule"
)

// Rule returns the rule whose alert this is, or that a record failed in; empty
// for a record that failed before its rules ran.
func (e *Entry) Rule() string {
	if e.Envelope.Alert != nil {
		return e.Envelope.Alert.Rule
	}
	return e.FailedRule
}

// Again returns the entry's next version, to be completed with why it failed:
// it was replayed once more, and is quarantined after so many times.
func (e *Entry) Again(editedBy string, maxReplays int) *Entry {
	next := *e
	next.Replays++
	next.EditedBy = editedBy
	next.fingerprint = ""
	next.State = Open
	if next.Replays >= maxReplays {
		next.State = Quarantined
	}
	return &next
}

// Encode returns the entry as it is written to this topic.
func (e *Entry) Encode(topic string) *kgo.Record {
	env := *e.Envelope
	env.From.Delivery, env.Replay = "", nil // a dead letter is on its way to nobody
	r := envelope.Wrap(&env)
	r.Topic = topic
	r.Key = []byte(e.ID)
	add := func(name, value string) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	add(hReason, string(e.Reason))
	add(hScope, string(e.Scope))
	add(hCause, string(e.Cause))
	add(hFingerprint, e.Fingerprint())
	if d := Clean(e.Detail); d != "" {
		add(hDetail, d)
	}
	add(hAttempts, strconv.Itoa(e.Attempts))
	add(hFirstFailed, e.FirstFailed.UTC().Format(time.RFC3339Nano))
	add(hLastFailed, e.LastFailed.UTC().Format(time.RFC3339Nano))
	if len(e.Recipients) > 0 {
		add(hRecipients, strings.Join(e.Recipients, ","))
	}
	add(hReplays, strconv.Itoa(e.Replays))
	add(hState, string(e.State))
	if rule := e.Rule(); rule != "" {
		add(hRule, rule)
	}
	if e.EditedBy != "" {
		add(hEditedBy, e.EditedBy)
	}
	if e.Pointer {
		add(hPointer, pointerNote)
	}
	return r
}

// Where returns the source as people are shown it: topic/partition@offset. A
// malformed record has no source; then it is where the record itself stands.
func (e *Entry) Where() string {
	if e.State == Malformed || e.Envelope.Source.Topic == "" {
		return fmt.Sprintf("%s/%d@%d", e.Topic, e.Partition, e.Offset)
	}
	return e.Envelope.Source.String()
}

// SourceTopic is the topic whose dead letters the entry stands among. Unlike
// the envelope's it is known of malformed entries too, and nobody can forge it.
func (e *Entry) SourceTopic() string {
	if source := sourceOf(e.Topic); source != "" {
		return source
	}
	return e.Envelope.Source.Topic
}

// sourceOf returns the source topic that a dead-letter topic is named for; empty
// where it is none.
func sourceOf(topic string) string {
	if i := strings.LastIndex(topic, ".dlq."); i >= 0 {
		return topic[i+len(".dlq."):]
	}
	return ""
}
