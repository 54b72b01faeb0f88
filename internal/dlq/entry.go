// Package dlq keeps what could not be handled: an Entry is the envelope of a
// record or a delivery with why it failed, written to a compacted topic under
// the entry's id. Start reading at Entry, then Writer and Reader.
package dlq

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

// State is where an entry stands.
type State string

// The states that are written; Malformed is for records that are not ours.
const (
	Open        State = "open"
	Quarantined State = "quarantined"
	Malformed   State = "malformed"
)

// Entry is one dead letter.
type Entry struct {
	// ID is the delivery's id, or re_… for a record that failed before its
	// rules ran. It is the record's key and is never reused.
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

	// Offset and Partition are where the entry was read; Pointer is true when
	// its value was too large to be kept here and must be read at its source.
	Offset    int64
	Partition int32
	Pointer   bool
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
)

var digits = regexp.MustCompile(`[0-9]+`)

// Fingerprint groups entries that failed for the same reason: a short hash of
// reason, scope, channel, rule and the detail with its numbers taken out.
func (e *Entry) Fingerprint() string {
	rule := ""
	if e.Envelope.Alert != nil {
		rule = e.Envelope.Alert.Rule
	}
	text := strings.Join([]string{
		string(e.Reason), string(e.Scope), string(e.Cause), e.Envelope.Channel, rule,
		digits.ReplaceAllString(e.Detail, "#"),
	}, "\x00")
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// record returns the entry as it is written.
func (e *Entry) record(topic string) *kgo.Record {
	env := *e.Envelope
	env.From.Delivery = "" // a dead letter says nothing to the repeat filter
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
	if d := cleanDetail(e.Detail); d != "" {
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
	return r
}

// pointer turns a record into one that only says where the source is: value
// and source headers are dropped.
func pointer(r *kgo.Record, e *Entry) *kgo.Record {
	short := *e.Envelope
	short.Source.Value, short.Source.Headers = []byte{}, nil
	if len(short.Source.Key) > 1024 {
		short.Source.Key = nil
	}
	p := *e
	p.Envelope, p.Detail = &short, ""
	out := p.record(r.Topic)
	out.Headers = append(out.Headers, kgo.RecordHeader{Key: hPointer, Value: []byte("value dropped: it did not fit; read it at its source")})
	return out
}

// Parse reads one record of a dead-letter topic. A record that is not ours
// comes back as an entry in state Malformed.
func Parse(r *kgo.Record) *Entry {
	e := &Entry{ID: string(r.Key), Offset: r.Offset, Partition: r.Partition, State: Open}
	env, extra, err := envelope.Parse(r)
	if err != nil {
		e.State, e.Detail = Malformed, err.Error()
		e.Envelope = &envelope.Envelope{Source: envelope.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Time: r.Timestamp}}
		e.LastFailed = r.Timestamp
		return e
	}
	e.Envelope = env
	for _, h := range extra {
		v := string(h.Value)
		switch h.Key {
		case hReason:
			e.Reason = outcome.Reason(v)
		case hScope:
			e.Scope = outcome.Scope(v)
		case hCause:
			e.Cause = outcome.Cause(v)
		case hDetail:
			e.Detail = v
		case hAttempts:
			e.Attempts, _ = strconv.Atoi(v)
		case hFirstFailed:
			e.FirstFailed, _ = time.Parse(time.RFC3339Nano, v)
		case hLastFailed:
			e.LastFailed, _ = time.Parse(time.RFC3339Nano, v)
		case hRecipients:
			e.Recipients = strings.Split(v, ",")
		case hReplays:
			e.Replays, _ = strconv.Atoi(v)
		case hState:
			e.State = State(v)
		case hPointer:
			e.Pointer = true
		}
	}
	return e
}

// cleanDetail cuts a detail to MaxDetail on a rune boundary and replaces
// control characters and invalid UTF-8.
func cleanDetail(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	if len(s) <= MaxDetail {
		return s
	}
	cut := MaxDetail - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// Where returns the source as people are shown it: topic/partition@offset.
func (e *Entry) Where() string {
	if e.State == Malformed {
		return fmt.Sprintf("dead-letter topic @%d", e.Offset)
	}
	return e.Envelope.Source.String()
}
