package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/topics"
)

// ErrForeign is returned for a record that is not in this format or not valid.
var ErrForeign = errors.New("not a notifier record")

// ErrChecksum is returned if key, value or headers were changed after Wrap.
var ErrChecksum = errors.New("checksum mismatch")

// Parse reads a record of Wrap. extra are the headers that were appended after
// Wrap. The envelope shares memory with the record.
func Parse(r *kgo.Record) (e *Envelope, extra []kgo.RecordHeader, err error) {
	if e, extra, err = Open(r); err == nil {
		err = e.DecodeAlert()
	}
	if err != nil {
		return nil, nil, err
	}
	return e, extra, nil
}

// DecodeAlert sets Alert after Open.
func (e *Envelope) DecodeAlert() error {
	if e.alert == nil {
		return nil
	}
	a, err := alert.Decode(e.alert)
	if err != nil {
		return fmt.Errorf("%w: header %s: %w", ErrForeign, hAlert, err)
	}
	e.Alert, e.alert = a, nil
	if err := e.validateAlert(); err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return nil
}

// Open is Parse without decoding the alert, which takes most of the time.
func Open(r *kgo.Record) (e *Envelope, extra []kgo.RecordHeader, err error) {
	n, own, err := split(r.Headers)
	if err != nil {
		return nil, nil, err
	}
	p := parser{}
	var replay Replay
	var instead Instead
	e = &Envelope{Source: Source{Value: r.Value, Headers: r.Headers[:n:n]}}
	if r.Value == nil {
		e.Source.Value = []byte{}
	}
	s := &e.Source
	var sum []byte
	for _, h := range own {
		text := h.Value // converted to a string only if it is kept
		switch h.Key {
		case hAlert:
			e.alert = h.Value
		case hVersion:
			if v := string(text); v != strconv.Itoa(Version) {
				return nil, nil, fmt.Errorf("%w: format version %q, this notifier reads %d", ErrForeign, v, Version)
			}
		case hOriginalHeaders:
		case hSourceTopic:
			s.Topic = known(text)
		case hSourceTopicID:
			s.TopicID = string(text)
		case hSourcePartition:
			s.Partition = int32(p.int(h.Key, string(text), 32))
		case hSourceOffset:
			s.Offset = p.int(h.Key, string(text), 64)
		case hSourceTimestamp:
			s.Time = p.timestamp(h.Key, string(text))
		case hKey:
			s.Key = h.Value
			if s.Key == nil {
				s.Key = []byte{}
			}
		case hValue:
			s.Value = nil
		case hChecksum:
			sum = text
		case hDelivery:
			e.Delivery = string(text)
		case hChannel:
			e.Channel = string(text)
		case hChannels:
			e.Channels = strings.Split(string(text), ",")
		case hInstead:
			instead.Channel = string(text)
		case hInsteadCause:
			instead.Cause = printable(string(text), MaxCause)
		case hFrom:
			p.from(string(text), &e.From)
		case hDone:
			e.From.Done, err = offsets.ParsePosition(string(text))
			p.fail(err)
		case hBegin:
			e.From.Input.Begin = p.int(h.Key, string(text), 64)
		case hDuplicate:
			e.MayBeDuplicate = true
		case hEntry:
			replay.Entry = string(text)
		case hEntryVersion:
			replay.Version = p.int(h.Key, string(text), 64)
		case hReplay:
			replay.Number = int(p.int(h.Key, string(text), 32))
		case hReplayBy:
			replay.By = UserName(string(text))
		case hReplayComment:
			replay.Comment = string(text)
		case hReplayFirst:
			replay.FirstFailed = p.time(h.Key, string(text))
		case hReplayNotTo:
			replay.Delivered = strings.Split(string(text), ",")
		case hEdited:
			replay.Edited = append([]byte{}, h.Value...)
		case hEditedBy:
			replay.EditedBy = UserName(string(text))
		case hTrace:
			e.Trace = string(text)
		default:
			if extra == nil {
				extra = make([]kgo.RecordHeader, 0, len(own))
			}
			extra = append(extra, h)
		}
	}
	if instead.Channel != "" {
		e.Instead = &instead
	}
	switch {
	case replay.Entry != "":
		e.Replay = &replay
	case replay.EditedBy != "": // the header of a dead letter
		extra = append(extra, kgo.RecordHeader{Key: hEditedBy, Value: []byte(replay.EditedBy)})
	}
	e.From.Delivery = e.DedupID()
	if p.err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrForeign, p.err)
	}
	if err := e.validate(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if !bytes.Equal(sum, appendChecksum(p.sum[:0], s)) {
		return nil, nil, ErrChecksum
	}
	return e, extra, nil
}

// split separates the source's headers from the notifier's. It searches from the
// end, since the source may have headers of the same names.
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

type parser struct {
	err error
	sum [32]byte // space for a checksum
}

func (p *parser) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *parser) int(name, v string, bits int) int64 {
	n, err := strconv.ParseInt(v, 10, bits)
	if err != nil {
		p.fail(fmt.Errorf("header %s is not a number", name))
	}
	return n
}

func (p *parser) time(name, v string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		p.fail(fmt.Errorf("header %s is not a time", name))
	}
	return t
}

// timestamp reads the output of the function timestamp.
func (p *parser) timestamp(name, v string) time.Time {
	if strings.Contains(v, "T") {
		return p.time(name, v)
	}
	return time.UnixMilli(p.int(name, v, 64))
}

// from reads topic-id/partition/epoch/offset; the id may be empty.
func (p *parser) from(v string, w *offsets.Origin) {
	topic, rest, _ := strings.Cut(v, "/")
	part, position, _ := strings.Cut(rest, "/")
	n, err := strconv.ParseInt(part, 10, 32)
	at, err2 := offsets.ParsePosition(position)
	if err != nil || err2 != nil {
		p.fail(fmt.Errorf("header %s is not topic-id/partition/epoch/offset", hFrom))
	}
	w.Input.Topic, w.Input.Partition, w.From = topic, int32(n), at
}

// known returns a source topic's name, without a copy if it is one of the list.
func known(text []byte) string {
	for _, name := range topics.All() {
		if string(text) == string(name) {
			return string(name)
		}
	}
	return string(text)
}
