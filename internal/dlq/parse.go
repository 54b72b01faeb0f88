package dlq

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/instant"
	"github.com/algotrade/notifier/internal/outcome"
)

// Parse reads a record of a dead-letter topic. A tombstone becomes an entry of which only
// the closing is known; a record that is not in the format becomes an entry in state
// Malformed, with the error as its detail.
func Parse(r *kgo.Record) *Entry { return open(r).Decoded() }

// Decoded returns an entry that was read in brief with its alert.
func (e *Entry) Decoded() *Entry {
	if err := e.Envelope.DecodeAlert(); err != nil {
		m := e.malformed(err)
		if m.Closed = e.Closed; m.Closed != nil {
			m.State = e.State
		}
		return m
	}
	return e
}

// open is Parse without the alert; Rule is known.
func open(r *kgo.Record) *Entry {
	e := &Entry{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Size: len(r.Value), Record: r}
	var plain bool
	if e.ID, plain = idOf(r.Key); r.Value == nil {
		e.Closed, e.Envelope, e.Record = parseClosing(r), &envelope.Envelope{}, nil
		e.State = e.Closed.State
		return e
	}
	env, extra, err := envelope.Open(r)
	if err == nil {
		e.Envelope = env
		err = e.read(extra, r.Timestamp)
	}
	switch {
	case err != nil:
	case !plain || !envelope.IsID(e.ID):
		err = errors.New("its key is not an id")
	case e.SourceTopic() != env.Source.Topic: // else its next version would go to another topic
		err = fmt.Errorf("it is of %s, and is among the dead letters of %s", env.Source.Topic, e.SourceTopic())
	}
	if err != nil {
		return e.malformed(err)
	}
	return e
}

func (e *Entry) malformed(err error) *Entry {
	r := e.Record
	return &Entry{
		ID: e.ID, State: Malformed, Detail: Clean(err.Error()), LastFailed: instant.First(time.Now(), r.Timestamp),
		Envelope: &envelope.Envelope{Source: envelope.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Time: r.Timestamp}},
		Topic:    e.Topic, Partition: e.Partition, Offset: e.Offset, Key: e.Key, Size: e.Size, Record: r,
	}
}

// idOf returns a key as an id that can be typed, and whether it is plain text.
func idOf(key []byte) (string, bool) {
	id := string(key)
	if id == "" || !utf8.ValidString(id) || strings.IndexFunc(id, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) >= 0 {
		return "0x" + hex.EncodeToString(key), false
	}
	return id, true
}

// maxCount is the highest number of attempts and replays that is accepted: more than
// ever occur, and one more does not overflow.
const maxCount = 1 << 30

// read reads the headers of a failure. An implausible time becomes that of the record.
func (e *Entry) read(headers []kgo.RecordHeader, written time.Time) error {
	var first error
	keep := func(name string, err error) {
		if err != nil && first == nil {
			first = fmt.Errorf("header %s: %w", name, err)
		}
	}
	number := func(name, v string) int {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > maxCount {
			keep(name, errors.New("not a number"))
		}
		return n
	}
	now := time.Now()
	moment := func(name, v string) time.Time {
		t, err := time.Parse(time.RFC3339Nano, v)
		if err != nil {
			keep(name, errors.New("not a time"))
		}
		return instant.First(now, t, written)
	}
	for _, h := range headers {
		v := string(h.Value)
		switch h.Key {
		case hReason:
			e.Reason = outcome.Reason(v)
		case hScope:
			e.Scope = outcome.Scope(v)
		case hCause:
			e.Cause = outcome.Cause(v)
		case hFingerprint:
			if isFingerprint(v) {
				e.fingerprint = v
			}
		case hDetail:
			e.Detail = Clean(v)
		case hAttempts:
			e.Attempts = number(h.Key, v)
		case hFirstFailed:
			e.FirstFailed = moment(h.Key, v)
		case hLastFailed:
			e.LastFailed = moment(h.Key, v)
		case hRecipients:
			e.Recipients = strings.Split(v, ",")
		case hDelivered:
			e.Delivered = strings.Split(v, ",")
		case hReplays:
			e.Replays = number(h.Key, v)
		case hState:
			e.State = State(v)
		case hEditedBy:
			e.EditedBy = envelope.UserName(v)
		case hRule:
			e.FailedRule = v
		case hPointer:
			e.Pointer = true
		}
	}
	switch {
	case !slices.Contains(outcome.Reasons(), e.Reason):
		keep(hReason, fmt.Errorf("%.64q is an unknown reason", e.Reason))
	case e.Cause == "":
		keep(hCause, errors.New("is missing"))
	case !envelope.IsID(string(e.Cause)):
		keep(hCause, fmt.Errorf("%.64q is no cause", e.Cause))
	case e.Scope != "" && !envelope.IsID(string(e.Scope)):
		keep(hScope, fmt.Errorf("%.64q is no scope", e.Scope))
	case e.FailedRule != "" && !envelope.IsID(e.FailedRule):
		keep(hRule, fmt.Errorf("%.64q is no name of a rule", e.FailedRule))
	case e.State != Open && e.State != Quarantined:
		keep(hState, fmt.Errorf("%.64q is no state", e.State))
	case e.FirstFailed.IsZero() || e.LastFailed.IsZero():
		keep(hFirstFailed, errors.New("is missing"))
	}
	return first
}

// Clean returns a text without control characters and invalid UTF-8, truncated to
// MaxDetail bytes on a rune boundary.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	return alert.ShortenBytes(s, MaxDetail)
}
