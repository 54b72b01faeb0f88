// Package dlq writes and reads dead letters. An Entry is the envelope of a record or a
// delivery with why it failed, in a compacted topic under the entry's id. A tombstone
// closes it and says who did, and why. The state of an entry follows from the
// dead-letter topics and the requests to replay it. Start reading at Entry, then
// Writer, Reader and Index.
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

// State is the state of an entry.
type State string

// The states. Open and Quarantined are written; Waiting has an unsettled request to
// replay it, see replay.Each; Malformed is not in the format; Resolved and Discarded
// are closed.
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
	// ID is the delivery's id, or re_… for a record that failed before its rules ran.
	// It is the record's key and is never reused; 0x…: a malformed record whose key is
	// not plain text.
	ID       string
	Envelope *envelope.Envelope

	Reason outcome.Reason
	Scope  outcome.Scope
	Cause  outcome.Cause
	// Detail is shown to users: at most MaxDetail bytes, without secrets, payload or
	// control characters.
	Detail                  string
	Attempts                int
	FirstFailed, LastFailed time.Time
	Recipients              []string // that refused it, or had not taken it; empty: not about recipients
	Delivered               []string // recipients that have the message; a replay leaves them out
	Replays                 int
	State                   State
	EditedBy                string // who edited the value for the last replay; "": not edited

	// Of the record: the offset is the entry's version. Pointer: its value was too large
	// and can only be read at its source.
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte
	Size      int
	Pointer   bool

	// Record is the record of an entry that was read; nil for a tombstone.
	Record *kgo.Record

	// Closed says how a resolved or discarded entry was closed.
	Closed *Closing

	// FailedRule is the rule that a record failed in; empty for a delivery, whose alert
	// names its rule, and for a record that failed before its rules ran.
	FailedRule string

	fingerprint string // as written
}

// AtSource reports whether the entry is a pointer to one record, which can be read while
// its source topic has it. Others stand for a batch.
func (e *Entry) AtSource() bool { return e.Pointer && e.Cause != outcome.BatchTooLarge }

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
	hDelivered   = "notifier.delivered-to"
	hReplays     = "notifier.replays"
	hState       = "notifier.state"
	hPointer     = "notifier.pointer"
	hEditedBy    = "notifier.edited-by"
	hRule        = "notifier.rule"
)

// Supersedes returns the offset below which versions of the entry do not count any
// longer because of this one.
func (e *Entry) Supersedes() int64 {
	if e.Closed != nil && e.Closed.Below > 0 {
		return e.Closed.Below
	}
	return e.Offset
}

// Rule returns the rule whose alert this is, or that a record failed in; empty
// for a record that failed before its rules ran.
func (e *Entry) Rule() string {
	if e.Envelope.Alert != nil {
		return e.Envelope.Alert.Rule
	}
	return e.FailedRule
}

// Again returns the entry's next version, without why it failed, after another replay.
// It is quarantined after maxReplays.
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
	env.From.Delivery, env.Replay = "", nil // a dead letter is not in flight
	r := envelope.Wrap(&env)
	r.Topic = topic
	r.Key = []byte(e.ID)
	add := adder(r)
	add(hReason, string(e.Reason))
	add(hScope, string(e.Scope))
	add(hCause, string(e.Cause))
	add(hFingerprint, e.Fingerprint())
	add(hDetail, Clean(e.Detail))
	add(hAttempts, strconv.Itoa(e.Attempts))
	add(hFirstFailed, e.FirstFailed.UTC().Format(time.RFC3339Nano))
	add(hLastFailed, e.LastFailed.UTC().Format(time.RFC3339Nano))
	add(hRecipients, strings.Join(e.Recipients, ","))
	add(hDelivered, strings.Join(e.Delivered, ","))
	add(hReplays, strconv.Itoa(e.Replays))
	add(hState, string(e.State))
	add(hRule, e.Rule())
	add(hEditedBy, e.EditedBy)
	if e.Pointer {
		add(hPointer, pointerNote)
	}
	return r
}

// adder returns a function that adds headers to r, but no empty ones.
func adder(r *kgo.Record) func(name, value string) {
	return func(name, value string) {
		if value != "" {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
	}
}

// Where returns the place of the source record, topic/partition@offset; for a malformed
// record its own place.
func (e *Entry) Where() string {
	if e.State == Malformed || e.Envelope.Source.Topic == "" {
		return fmt.Sprintf("%s/%d@%d", e.Topic, e.Partition, e.Offset)
	}
	return e.Envelope.Source.String()
}

// SourceTopic returns the source topic that the entry's topic is named for. Unlike the
// envelope's it is also known for malformed entries, and cannot be forged.
func (e *Entry) SourceTopic() string {
	if source := sourceOf(e.Topic); source != "" {
		return source
	}
	return e.Envelope.Source.Topic
}

// sourceOf returns the source topic that a dead-letter topic is named for; "": none.
func sourceOf(topic string) string {
	if i := strings.LastIndex(topic, ".dlq."); i >= 0 {
		return topic[i+len(".dlq."):]
	}
	return ""
}
