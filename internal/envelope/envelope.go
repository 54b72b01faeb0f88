// Package envelope is the one record format of outbox topics and dead letters:
// the source's value and headers as they came, then headers of ours. Wrap and
// Parse are inverse; key, value (null and empty kept apart) and headers come
// back byte for byte, and a checksum proves it.
package envelope

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/repeat"
)

// Version is the version of the format that Wrap writes.
const Version = 1

// Source is the record that all began with.
type Source struct {
	Topic     string
	TopicID   string // in text; empty where the broker has no topic ids
	Partition int32
	Offset    int64
	Time      time.Time // millisecond precision, as Kafka keeps it
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
	// From and Done are for the repeat filter; dead letters have none.
	From repeat.Write
	// Replay is set where this is a dead letter that is sent again.
	Replay *Replay

	alert []byte // as it came: see Open
}

// Replay says which dead letter a record comes from, and who asked for it.
type Replay struct {
	// Entry is the dead letter's id, Version the offset at which it stands in
	// its topic. An entry whose rules had not run yet becomes deliveries with
	// ids of their own; then Entry is another than the envelope's Delivery.
	Entry   string
	Version int64
	// Number counts the entry's replays; this is the first, the second, …
	Number      int
	By, Comment string
	FirstFailed time.Time
	Recipients  []string // who is left of a message that others have got; nil: all
	// Edited is what the rules were given instead of the source's value, by
	// EditedBy; nil: nothing was edited.
	Edited   []byte
	EditedBy string
}

// Resolves reports whether the delivery's outcome is the dead letter's.
func (e *Envelope) Resolves() bool { return e.Replay != nil && e.Replay.Entry == e.Delivery }

// Event returns the document that the alert was raised on: the source's value,
// or what it was edited to.
func (e *Envelope) Event() []byte {
	if e.Replay != nil && e.Replay.Edited != nil {
		return e.Replay.Edited
	}
	return e.Source.Value
}

// Names of our headers.
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
	hEntry           = "notifier.entry"
	hEntryVersion    = "notifier.entry-version"
	hReplay          = "notifier.replay"
	hReplayBy        = "notifier.by"
	hReplayComment   = "notifier.comment"
	hReplayFirst     = "notifier.entry-failed"
	hReplayTo        = "notifier.entry-recipients"
	hEdited          = "notifier.edited"
	hEditedBy        = "notifier.edited-by"
)

// HeaderNames returns the names of the headers that Wrap writes.
func HeaderNames() []string {
	return []string{
		hVersion, hOriginalHeaders, hSourceTopic, hSourceTopicID, hSourcePartition, hSourceOffset, hSourceTimestamp, hKey, hValue, hChecksum,
		hAlert, hDelivery, hChannel, hFrom, hDone, hEntry, hEntryVersion, hReplay, hReplayBy, hReplayComment, hReplayFirst, hReplayTo, hEdited, hEditedBy,
	}
}

// Wrap returns the record that carries e: value and headers; the caller sets
// topic, key and partition, and may append headers of its own.
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
	add(hSourceTimestamp, s.Time.UTC().Format(time.RFC3339Nano))
	if s.Key != nil {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: hKey, Value: s.Key})
	}
	if s.Value == nil { // a null value would be a tombstone of ours
		r.Value = []byte{}
		add(hValue, "null")
	}
	add(hChecksum, checksum(s))
	if e.Alert != nil {
		b, err := json.Marshal(e.Alert)
		if err != nil { // strings and times within RFC 3339's years always marshal
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
		if p.Recipients != nil {
			add(hReplayTo, strings.Join(p.Recipients, ","))
		}
		if p.Edited != nil {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: hEdited, Value: p.Edited})
			add(hEditedBy, p.EditedBy)
		}
	}
	return r
}

// ErrForeign is returned for a record that is not in this format.
var ErrForeign = errors.New("not a record of ours")

// ErrChecksum is returned when key, value or headers are not what was wrapped.
var ErrChecksum = errors.New("checksum mismatch")

// Parse reads a record that Wrap made. extra are the headers that the writer
// appended after Wrap. The envelope shares memory with the record.
func Parse(r *kgo.Record) (e *Envelope, extra []kgo.RecordHeader, err error) {
	if e, extra, err = Open(r); err == nil {
		err = e.DecodeAlert()
	}
	if err != nil {
		return nil, nil, err
	}
	return e, extra, nil
}

// DecodeAlert sets Alert where Open left it out.
func (e *Envelope) DecodeAlert() error {
	if e.alert == nil {
		return nil
	}
	a := new(alert.Alert)
	if err := json.Unmarshal(e.alert, a); err != nil {
		return fmt.Errorf("%w: header %s: %w", ErrForeign, hAlert, err)
	}
	e.Alert, e.alert = a, nil
	return nil
}

// Open is Parse without the alert, which takes most of its time: for whoever
// looks at a million records.
func Open(r *kgo.Record) (e *Envelope, extra []kgo.RecordHeader, err error) {
	n, ours, err := split(r.Headers)
	if err != nil {
		return nil, nil, err
	}
	p := parser{}
	var again Replay
	e = &Envelope{Source: Source{Value: r.Value, Headers: r.Headers[:n:n]}}
	if r.Value == nil {
		e.Source.Value = []byte{}
	}
	s := &e.Source
	var sum string
	for _, h := range ours {
		if h.Key == hAlert {
			e.alert = h.Value
			continue
		}
		v := string(h.Value)
		switch h.Key {
		case hVersion:
			if v != strconv.Itoa(Version) {
				return nil, nil, fmt.Errorf("%w: format version %q, this notifier reads %d", ErrForeign, v, Version)
			}
		case hOriginalHeaders:
		case hSourceTopic:
			s.Topic = v
		case hSourceTopicID:
			s.TopicID = v
		case hSourcePartition:
			s.Partition = int32(p.int(h.Key, v, 32))
		case hSourceOffset:
			s.Offset = p.int(h.Key, v, 64)
		case hSourceTimestamp:
			s.Time = p.time(h.Key, v)
		case hKey:
			s.Key = h.Value
			if s.Key == nil {
				s.Key = []byte{}
			}
		case hValue:
			s.Value = nil
		case hChecksum:
			sum = v
		case hDelivery:
			e.Delivery = v
		case hChannel:
			e.Channel = v
		case hFrom:
			p.from(v, &e.From)
		case hDone:
			e.From.Done, err = repeat.ParsePosition(v)
			p.keep(err)
		case hEntry:
			again.Entry = v
		case hEntryVersion:
			again.Version = p.int(h.Key, v, 64)
		case hReplay:
			again.Number = int(p.int(h.Key, v, 32))
		case hReplayBy:
			again.By = v
		case hReplayComment:
			again.Comment = v
		case hReplayFirst:
			again.FirstFailed = p.time(h.Key, v)
		case hReplayTo:
			again.Recipients = strings.Split(v, ",")
		case hEdited:
			again.Edited = append([]byte{}, h.Value...)
		case hEditedBy:
			again.EditedBy = v
		default:
			extra = append(extra, h)
		}
	}
	switch {
	case again.Entry != "":
		e.Replay = &again
	case again.EditedBy != "": // a dead letter says it too
		extra = append(extra, kgo.RecordHeader{Key: hEditedBy, Value: []byte(again.EditedBy)})
	}
	e.From.Delivery = e.RepeatID()
	if p.err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrForeign, p.err)
	}
	if sum != checksum(s) {
		return nil, nil, ErrChecksum
	}
	return e, extra, nil
}

// RepeatID is what the repeat filter knows a record by: the delivery's id, and
// for a replay which version of its entry it is, since each is sent once.
func (e *Envelope) RepeatID() string {
	if e.Replay == nil || e.Delivery == "" {
		return e.Delivery
	}
	return e.Delivery + "@" + strconv.FormatInt(e.Replay.Version, 10)
}

// split finds where the source's headers end and ours begin. Ours are last, so
// a source that carries headers with our names does not mislead it.
func split(headers []kgo.RecordHeader) (int, []kgo.RecordHeader, error) {
	for i := len(headers) - 1; i > 0; i-- {
		if headers[i].Key != hOriginalHeaders {
			continue
		}
		n, err := strconv.Atoi(string(headers[i].Value))
		if err != nil || n != i-1 || headers[n].Key != hVersion {
			break
		}
		return n, headers[n:], nil
	}
	return 0, nil, ErrForeign
}

// checksum is the first 16 bytes of SHA-256 over key, value and headers, each
// with its length before it and null as length -1, in hexadecimal.
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

type parser struct{ err error }

func (p *parser) keep(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *parser) int(name, v string, bits int) int64 {
	n, err := strconv.ParseInt(v, 10, bits)
	if err != nil {
		p.keep(fmt.Errorf("header %s is not a number", name))
	}
	return n
}

func (p *parser) time(name, v string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		p.keep(fmt.Errorf("header %s is not a time", name))
	}
	return t
}

func (p *parser) from(v string, w *repeat.Write) {
	var part, epoch int32
	var offset int64
	topic, rest := v, ""
	if i := strings.IndexByte(v, '/'); i >= 0 {
		topic, rest = v[:i], v[i+1:]
	}
	if _, err := fmt.Sscanf(rest, "%d/%d/%d", &part, &epoch, &offset); err != nil {
		p.keep(fmt.Errorf("header %s is not topic-id/partition/epoch/offset", hFrom))
	}
	w.Input = repeat.Input{Topic: topic, Partition: part}
	w.From = repeat.Position{Epoch: epoch, Offset: offset}
}

// TopicID returns a topic's id in text (base64 without padding, URL alphabet,
// as Kafka's own tools print it); empty for the zero id.
func TopicID(id [16]byte) string {
	if id == ([16]byte{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(id[:])
}
