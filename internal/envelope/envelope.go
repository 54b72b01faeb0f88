// Package envelope is the record format of outboxes and dead letters: the source
// record's value and headers, followed by the notifier's headers. Parse returns
// what Wrap was given byte for byte, null and empty distinct, with a checksum.
package envelope

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/offsets"
)

// Version is the version of the format that Wrap writes.
const Version = 1

// Source is the source record. That of a notice has the topic alert.Notifier, no value,
// and as key what the notice is about.
type Source struct {
	Topic     string
	TopicID   string // as text; empty if the broker has no topic ids
	Partition int32
	Offset    int64
	Time      time.Time // millisecond precision
	Key       []byte    // nil: null
	Value     []byte    // nil: null
	Headers   []kgo.RecordHeader
}

// String returns topic/partition@offset.
func (s Source) String() string {
	return fmt.Sprintf("%s/%d@%d", s.Topic, s.Partition, s.Offset)
}

// Envelope is one delivery, or one source record that failed before its rules
// ran (then Alert is nil, and Delivery and Channel are empty).
type Envelope struct {
	Source   Source
	Alert    *alert.Alert
	Delivery string
	Channel  string
	From     offsets.Origin // for dedup; dead letters have none
	Channels []string       // all for which the alert was raised, which have it too; nil: this one alone, or not known
	Instead  *Instead       // set if it was meant for another channel, which cannot send
	Replay   *Replay        // set if the record replays a dead letter
	// MayBeDuplicate is set if it may have been sent before its outbox record was
	// written.
	MayBeDuplicate bool
	Trace          string // parent span as a traceparent (W3C Trace Context); empty: none

	alert []byte // not yet decoded: see Open
}

// Instead is the channel that a delivery was meant for, and why that one cannot send.
type Instead struct {
	Channel string
	Cause   string // at most MaxCause bytes
}

// MaxCause is how much of a cause a record has, in bytes.
const MaxCause = 200

// Notice reports whether it carries a notice of the notifier itself: there is no source
// record, and so no dead letter either.
func (e *Envelope) Notice() bool { return e.Source.Topic == alert.Notifier }

// Names of the notifier's headers.
const (
	hVersion         = "notifier.version"
	hOriginalHeaders = "notifier.original-headers"
	hSourceTopic     = "notifier.source-topic"
	hSourceTopicID   = "notifier.source-topic-id"
	hSourcePartition = "notifier.source-partition"
	hSourceOffset    = "notifier.source-offset"
	hSourceTimestamp = "notifier.source-timestamp"
	hKey             = "notifier.key"
	hValue           = "notifier.value"
	hChecksum        = "notifier.checksum"
	hAlert           = "notifier.alert"
	hDelivery        = "notifier.delivery"
	hChannel         = "notifier.channel"
	hChannels        = "notifier.channels"
	hInstead         = "notifier.instead-of"
	hInsteadCause    = "notifier.instead-cause"
	hFrom            = "notifier.from"
	hDone            = "notifier.done"
	hBegin           = "notifier.begin"
	hDuplicate       = "notifier.may-be-duplicate"
	hEntry           = "notifier.entry"
	hEntryVersion    = "notifier.entry-version"
	hReplay          = "notifier.replay"
	hReplayBy        = "notifier.by"
	hReplayComment   = "notifier.comment"
	hReplayFirst     = "notifier.entry-failed"
	hReplayNotTo     = "notifier.entry-delivered-to"
	hEdited          = "notifier.edited"
	hEditedBy        = "notifier.edited-by"
	hTrace           = "traceparent"
)

// HeaderNames returns the names of the headers that Wrap writes.
func HeaderNames() []string {
	return []string{
		hVersion, hOriginalHeaders, hSourceTopic, hSourceTopicID, hSourcePartition, hSourceOffset, hSourceTimestamp, hKey, hValue, hChecksum,
		hAlert, hDelivery, hChannel, hChannels, hInstead, hInsteadCause, hFrom, hDone, hBegin, hDuplicate, hEntry, hEntryVersion, hReplay, hReplayBy, hReplayComment, hReplayFirst, hReplayNotTo, hEdited, hEditedBy, hTrace,
	}
}

// Wrap returns a record with the value and headers of e. The caller sets topic, key
// and partition, and may append headers.
func Wrap(e *Envelope) *kgo.Record {
	s := &e.Source
	r := &kgo.Record{Value: s.Value, Headers: make([]kgo.RecordHeader, len(s.Headers), len(s.Headers)+16)}
	copy(r.Headers, s.Headers)
	w := writer{r: r, text: make([]byte, 0, 1024)}
	w.add(hVersion, strconv.AppendInt(w.text, Version, 10))
	w.add(hOriginalHeaders, strconv.AppendInt(w.text, int64(len(s.Headers)), 10))
	w.add(hSourceTopic, append(w.text, s.Topic...))
	if s.TopicID != "" {
		w.add(hSourceTopicID, append(w.text, s.TopicID...))
	}
	w.add(hSourcePartition, strconv.AppendInt(w.text, int64(s.Partition), 10))
	w.add(hSourceOffset, strconv.AppendInt(w.text, s.Offset, 10))
	w.add(hSourceTimestamp, appendTimestamp(w.text, s.Time))
	if s.Key != nil {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: hKey, Value: s.Key})
	}
	if s.Value == nil { // a null value would be a tombstone
		r.Value = []byte{}
		w.add(hValue, append(w.text, "null"...))
	}
	w.add(hChecksum, appendChecksum(w.text, s))
	if e.Alert != nil {
		b, err := e.Alert.AppendJSON(w.text)
		if err != nil { // cannot happen: strings and plausible times always marshal
			b = append(w.text, "{}"...)
		}
		w.add(hAlert, b)
	}
	if e.Delivery != "" {
		w.add(hDelivery, append(w.text, e.Delivery...))
		w.add(hChannel, append(w.text, e.Channel...))
		if len(e.Channels) > 0 {
			w.add(hChannels, append(w.text, strings.Join(e.Channels, ",")...))
		}
		if e.Instead != nil {
			w.add(hInstead, append(w.text, e.Instead.Channel...))
			w.add(hInsteadCause, append(w.text, e.Instead.Cause...))
		}
	}
	if o := &e.From; o.Delivery != "" {
		b := append(append(w.text, o.Input.Topic...), '/')
		b = append(strconv.AppendInt(b, int64(o.Input.Partition), 10), '/')
		w.add(hFrom, o.From.Append(b))
		w.add(hDone, o.Done.Append(w.text))
		if o.Input.Begin != 0 {
			w.add(hBegin, strconv.AppendInt(w.text, o.Input.Begin, 10))
		}
	}
	if e.MayBeDuplicate {
		w.add(hDuplicate, append(w.text, "true"...))
	}
	if p := e.Replay; p != nil {
		w.add(hEntry, append(w.text, p.Entry...))
		w.add(hEntryVersion, strconv.AppendInt(w.text, p.Version, 10))
		w.add(hReplay, strconv.AppendInt(w.text, int64(p.Number), 10))
		w.add(hReplayBy, append(w.text, p.By...))
		if p.Comment != "" {
			w.add(hReplayComment, append(w.text, p.Comment...))
		}
		w.add(hReplayFirst, p.FirstFailed.UTC().AppendFormat(w.text, time.RFC3339Nano))
		if len(p.Delivered) > 0 {
			w.add(hReplayNotTo, append(w.text, strings.Join(p.Delivered, ",")...))
		}
		if p.Edited != nil {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: hEdited, Value: p.Edited})
			w.add(hEditedBy, append(w.text, p.EditedBy...))
		}
	}
	if e.Trace != "" {
		w.add(hTrace, append(w.text, e.Trace...))
	}
	return r
}

// writer adds headers to a record whose values stand behind one another in text.
type writer struct {
	r    *kgo.Record
	text []byte
}

// add adds a header whose value was appended to text.
func (w *writer) add(name string, text []byte) {
	value := text[len(w.text):len(text):len(text)]
	w.text = text
	w.r.Headers = append(w.r.Headers, kgo.RecordHeader{Key: name, Value: value})
}

// appendTimestamp appends a record's timestamp in RFC 3339, or in milliseconds since
// 1970 if RFC 3339 cannot express its year.
func appendTimestamp(b []byte, t time.Time) []byte {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return strconv.AppendInt(b, t.UnixMilli(), 10)
	}
	return t.UTC().AppendFormat(b, time.RFC3339Nano)
}

// hashes are used again: each record is hashed twice.
var hashes = sync.Pool{New: func() any { return &hasher{Hash: sha256.New()} }}

type hasher struct {
	hash.Hash
	length [8]byte
	sum    [sha256.Size]byte
}

func (h *hasher) put(b []byte, null bool) {
	length := int64(len(b))
	if null {
		length = -1
	}
	binary.BigEndian.PutUint64(h.length[:], uint64(length))
	h.Write(h.length[:])
	h.Write(b)
}

// appendChecksum appends the first 16 bytes of SHA-256 over key, value and headers in
// hexadecimal. Each is preceded by its length, -1 for null.
func appendChecksum(b []byte, s *Source) []byte {
	h := hashes.Get().(*hasher)
	defer hashes.Put(h)
	h.Reset()
	h.put(s.Key, s.Key == nil)
	h.put(s.Value, s.Value == nil)
	for _, header := range s.Headers {
		h.put([]byte(header.Key), false)
		h.put(header.Value, header.Value == nil)
	}
	return hex.AppendEncode(b, h.Sum(h.sum[:0])[:16])
}

// TopicID returns a topic id as Kafka's tools print it (base64, URL alphabet, no
// padding); empty for the zero id.
func TopicID(id [16]byte) string {
	if id == ([16]byte{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id[:])
}
