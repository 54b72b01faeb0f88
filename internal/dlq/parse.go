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

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/instant"
	"github.com/algotrade/notifier/internal/outcome"
)

// Parse reads one record of a dead-letter topic that is not a tombstone. It
// never fails: a record that is not in the format comes back as an entry in
// state Malformed, with what is wrong as its detail.
func Parse(r *kgo.Record) *Entry {
	e := open(r)
	if err := e.Envelope.DecodeAlert(); err != nil {
		return e.malformed(r, err)
	}
	return e
}

// open is Parse without the alert; Rule is known all the same.
func open(r *kgo.Record) *Entry {
	e := &Entry{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Size: len(r.Value)}
	var plain bool
	e.ID, plain = idOf(r.Key)
	env, extra, err := envelope.Open(r)
	if err == nil {
		e.Envelope = env
		err = e.read(extra, r.Timestamp)
	}
	switch {
	case err != nil:
	case !plain || !envelope.IsID(e.ID):
		err = errors.New("its key is not an id")
	case e.SourceTopic() != env.Source.Topic: // what it leads to would go to another topic than it is read from
		err = fmt.Errorf("it is of %s, and stands among the dead letters of %s", env.Source.Topic, e.SourceTopic())
	}
	if err != nil {
		return e.malformed(r, err)
	}
	return e
}

func (e *Entry) malformed(r *kgo.Record, err error) *Entry {
	return &Entry{
		ID: e.ID, State: Malformed, Detail: Clean(err.Error()), LastFailed: instant.First(time.Now(), r.Timestamp),
		Envelope: &envelope.Envelope{Source: envelope.Source{Key: r.Key, Value: r.Value, Headers: r.Headers, Time: r.Timestamp}},
		Topic:    e.Topic, Partition: e.Partition, Offset: e.Offset, Key: e.Key, Size: e.Size,
	}
}

// idOf returns a key as an id that can be typed, and whether it is one as it
// stands.
func idOf(key []byte) (string, bool) {
	id := string(key)
	if id == "" || !utf8.ValidString(id) || strings.IndexFunc(id, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }) >= 0 {
		return "0x" + hex.EncodeToString(key), false
	}
	return id, true
}

// The most that an entry may say of its attempts and replays: any number of
// ours is far below, and one more still fits wherever it goes.
const maxCount = 1 << 30

// read takes over the headers that say why it failed. A time that none can have
// is that of the record, since anybody may have written it.
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
		keep(hReason, fmt.Errorf("%.64q is no reason that this notifier knows", e.Reason))
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

// Clean returns a text for people as it is kept: cut to MaxDetail on a rune
// boundary, without control characters and invalid UTF-8.
func Clean(s string) string {
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
