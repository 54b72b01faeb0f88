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
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/offsets"
)

// Version is the version of the format that Wrap writes.
const Version = 1

// Source is the source record.
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
	Replay   *Replay        // set if the record replays a dead letter
	Trace    string         // parent span as a traceparent (W3C Trace Context); empty: none

	alert []byte // not yet decoded: see Open
}

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
	hFrom            = "notifier.from"
	hDone            = "notifier.done"
	hBegin           = "notifier.begin"
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
		hAlert, hDelivery, hChannel, hFrom, hDone, hBegin, hEntry, hEntryVersion, hReplay, hReplayBy, hReplayComment, hReplayFirst, hReplayNotTo, hEdited, hEditedBy, hTrace,
	}
}

// Wrap returns a record with the value and headers of e. The caller sets topic, key
// and partition, and may append headers.
func Wrap(e *Envelope) *kgo.Record {
	s := &e.Source
	r := &kgo.Record{Value: s.Value, Headers: make([]kgo.RecordHeader, len(s.Headers), len(s.Headers)+16)}
	copy(r.Headers, s.Headers)
	add := func(name, value string) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
	}
	add(hVersion, strconv.Itoa(Version))
	add(hOriginalHeaders, strconv.Itoa(len(s.Headers)))
	add(hSourceTopic, s.Topic)
	if s.TopicID != "" {
		add(hSourceTopicID, s.TopicID)
	}
	add(hSourcePartition, strconv.FormatInt(int64(s.Partition), 10))
	add(hSourceOffset, strconv.FormatInt(s.Offset, 10))
	add(hSourceTimestamp, timestamp(s.Time))
	if s.Key != nil {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: hKey, Value: s.Key})
	}
	if s.Value == nil { // a null value would be a tombstone
		r.Value = []byte{}
		add(hValue, "null")
	}
	add(hChecksum, checksum(s))
	if e.Alert != nil {
		b, err := e.Alert.JSON()
		if err != nil { // cannot happen: strings and plausible times always marshal
			b = []byte("{}")
		}
		add(hAlert, string(b))
	}
	if e.Delivery != "" {
		add(hDelivery, e.Delivery)
		add(hChannel, e.Channel)
	}
	if e.From.Delivery != "" {
		w := e.From
		add(hFrom, fmt.Sprintf("%s/%d/%s", w.Input.Topic, w.Input.Partition, w.From))
		add(hDone, w.Done.String())
		if w.Input.Begin != 0 {
			add(hBegin, strconv.FormatInt(w.Input.Begin, 10))
		}
	}
	if p := e.Replay; p != nil {
		add(hEntry, p.Entry)
		add(hEntryVersion, strconv.FormatInt(p.Version, 10))
		add(hReplay, strconv.Itoa(p.Number))
		add(hReplayBy, p.By)
		if p.Comment != "" {
			add(hReplayComment, p.Comment)
		}
		add(hReplayFirst, p.FirstFailed.UTC().Format(time.RFC3339Nano))
		if len(p.Delivered) > 0 {
			add(hReplayNotTo, strings.Join(p.Delivered, ","))
		}
		if p.Edited != nil {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: hEdited, Value: p.Edited})
			add(hEditedBy, p.EditedBy)
		}
	}
	if e.Trace != "" {
		add(hTrace, e.Trace)
	}
	return r
}

// timestamp formats a record's timestamp in RFC 3339, or in milliseconds since
// 1970 if RFC 3339 cannot express its year.
func timestamp(t time.Time) string {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return strconv.FormatInt(t.UnixMilli(), 10)
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// checksum returns the first 16 bytes of SHA-256 over key, value and headers in
// hexadecimal. Each is preceded by its length, -1 for null.
func checksum(s *Source) string {
	h := sha256.New()
	var n [8]byte
	put := func(b []byte, null bool) {
		length := int64(len(b))
		if null {
			length = -1
		}
		binary.BigEndian.PutUint64(n[:], uint64(length))
		h.Write(n[:])
		h.Write(b)
	}
	put(s.Key, s.Key == nil)
	put(s.Value, s.Value == nil)
	for _, header := range s.Headers {
		put([]byte(header.Key), false)
		put(header.Value, header.Value == nil)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// TopicID returns a topic id as Kafka's tools print it (base64, URL alphabet, no
// padding); empty for the zero id.
func TopicID(id [16]byte) string {
	if id == ([16]byte{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id[:])
}
