package dlq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
)

// TooLarge reports whether brokers refuse a batch for its size, which a retry does not
// change: MESSAGE_TOO_LARGE, or RECORD_LIST_TOO_LARGE if it does not fit into a
// segment. A record is known to be too large once it was refused alone.
func TooLarge(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}

// pointerNote is the header's value in an entry without its source's value.
const pointerNote = "value dropped: it did not fit; read it at its source"

// maxPointerKey is the longest source key that a pointer keeps, in bytes.
const maxPointerKey = 1 << 10

// forms are the encodings of an entry: all of it; without its detail; a pointer,
// without source value and headers; and, in a few hundred bytes, the coordinates of
// the source record, the ids, the rule, the channel and why it failed.
var forms = []func(e *Entry, topic string) *kgo.Record{(*Entry).Encode, (*Entry).plain, (*Entry).pointer, (*Entry).last}

// asPointer is the first of the forms without the source's value.
const asPointer = 2

// sourceSize returns the size of the source record, in bytes.
func (e *Entry) sourceSize() int {
	s := &e.Envelope.Source
	n := len(s.Key) + len(s.Value)
	for _, h := range s.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

func (e *Entry) plain(topic string) *kgo.Record {
	plain := *e
	plain.fingerprint, plain.Detail = e.Fingerprint(), ""
	return plain.Encode(topic)
}

func (e *Entry) pointer(topic string) *kgo.Record {
	short := *e.Envelope
	short.Source.Value, short.Source.Headers = []byte{}, nil
	if len(short.Source.Key) > maxPointerKey {
		short.Source.Key = nil
	}
	return e.pointTo(&short, topic)
}

// last leaves out the alert, which the rule can raise again from the record.
func (e *Entry) last(topic string) *kgo.Record {
	s := e.Envelope.Source
	p := *e
	p.Recipients, p.Delivered, p.FailedRule = nil, nil, e.Rule()
	return p.pointTo(&envelope.Envelope{
		Source:   envelope.Source{Topic: s.Topic, TopicID: s.TopicID, Partition: s.Partition, Offset: s.Offset, Time: s.Time, Value: []byte{}},
		Delivery: e.Envelope.Delivery, Channel: e.Envelope.Channel,
	}, topic)
}

func (e *Entry) pointTo(env *envelope.Envelope, topic string) *kgo.Record {
	p := *e
	p.fingerprint = e.Fingerprint()
	p.Envelope, p.Detail, p.Pointer = env, "", true
	return p.Encode(topic)
}

// write is one record, in one of several forms.
type write struct {
	forms  []func() *kgo.Record // ever smaller
	form   int                  // that was produced last
	size   int                  // of the source record; 0: none
	record *kgo.Record
	err    error
}

// offset returns the offset of the record; -1: it is not written.
func (x *write) offset() int64 {
	if x.err != nil {
		return -1
	}
	return x.record.Offset
}

// produce produces records in their present forms; those that are too large then one
// by one, in ever smaller forms. It returns the first error but TooLarge.
func (w *Writer) produce(ctx context.Context, writes []write) (first error) {
	ctx, cancel := context.WithTimeout(ctx, WriteTimeout)
	defer cancel()
	records, turns := make([]*kgo.Record, len(writes)), make([]int, len(writes))
	for i := range writes {
		x := &writes[i]
		x.record = x.forms[x.form]()
		records[i], turns[i] = x.record, w.follow.Turn(x.record.Topic)
	}
	errs := make(map[*kgo.Record]error, len(records))
	for first := 0; first < len(writes); {
		end, size := first+1, writes[first].size
		for end < len(writes) && size+writes[end].size <= together {
			size += writes[end].size
			end++
		}
		w.produceTogether(ctx, records[first:end], size, errs)
		first = end
	}
	for i := range writes {
		x := &writes[i]
		x.err = errs[x.record]
		for ; TooLarge(x.err) && x.form < len(x.forms); x.form++ {
			if x.record, x.err = w.p.Client.ProduceSync(ctx, x.forms[x.form]()).First(); !TooLarge(x.err) {
				break
			}
		}
		if x.err != nil && !TooLarge(x.err) {
			w.follow.Failed(x.record.Topic, turns[i], x.err)
			first = cmp.Or(first, fmt.Errorf("write to %s: %w", x.record.Topic, x.err))
		}
	}
	return first
}

// together is how many bytes of source records are produced together: the client may
// send them in one batch, of which brokers refuse all if it is larger than their topic
// takes.
const together = 1 << 20

// produceTogether produces records whose source records have so many bytes, and notes
// their errors. A large record is produced after the other: it is in memory encoded
// and compressed, too.
func (w *Writer) produceTogether(ctx context.Context, records []*kgo.Record, size int, errs map[*kgo.Record]error) {
	if size > together {
		select {
		case w.large <- struct{}{}:
			defer func() { <-w.large }()
		case <-ctx.Done():
			for _, r := range records {
				errs[r] = ctx.Err()
			}
			return
		}
	}
	for _, result := range w.p.Client.ProduceSync(ctx, records...) {
		errs[result.Record] = result.Err
	}
}

// limit is how large a batch of a topic may be before it is compressed, in bytes.
func (w *Writer) limit(topic string) int {
	if f, ok := w.p.Client.OptValue(kgo.ProducerBatchMaxBytesFn).(func(string) int32); ok && f != nil {
		return int(f(topic))
	}
	return math.MaxInt
}

// refuse counts and logs an entry whose smallest form does not fit.
func (w *Writer) refuse(e *Entry, topic string) {
	s := e.Envelope.Source
	w.refused.WithLabelValues(sourceOf(topic)).Inc()
	w.log.Error("dead letter refused as too large in its smallest form, record is skipped: read it at its source and raise max.message.bytes of the dead-letter topic",
		"dead_letter_topic", topic, "topic", s.Topic, "partition", s.Partition, "offset", s.Offset, "entry", e.ID,
		"rule", e.Rule(), "channel", e.Envelope.Channel, "reason", e.Reason, "cause", e.Cause)
}
