package dlq

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
)

// TooLarge reports whether brokers refuse a record for its size, which no second
// attempt changes: MESSAGE_TOO_LARGE, or RECORD_LIST_TOO_LARGE where it does not
// fit into a segment. They refuse whole batches, so that a record is known to be
// too large only once it was sent alone.
func TooLarge(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}

// pointerNote is what an entry says whose value was dropped.
const pointerNote = "value dropped: it did not fit; read it at its source"

// maxPointerKey is the longest source key that a pointer keeps, in bytes.
const maxPointerKey = 1 << 10

// forms are what an entry is written as: as it is, then ever smaller. The first
// smaller form has no detail. The second is a pointer: source value and headers are
// dropped. The last is a few hundred bytes, whatever the record or the alert hold:
// where the source record is, the ids, the rule, the channel and why it failed.
var forms = []func(e *Entry, topic string) *kgo.Record{(*Entry).Encode, (*Entry).plain, (*Entry).pointer, (*Entry).last}

// asPointer is the first of the forms without the source's value.
const asPointer = 2

// firstForm returns the first form that may fit into a batch of so many bytes: one
// with the value is not even encoded where the value alone does not fit.
func (e *Entry) firstForm(limit int) int {
	s := &e.Envelope.Source
	n := len(s.Key) + len(s.Value)
	for _, h := range s.Headers {
		n += len(h.Key) + len(h.Value)
	}
	if n > limit {
		return asPointer
	}
	return 0
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

// last leaves out the alert, which the rule makes again from the record.
func (e *Entry) last(topic string) *kgo.Record {
	s := e.Envelope.Source
	p := *e
	p.Recipients, p.FailedRule = nil, e.Rule()
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

// alone writes an entry by itself in the largest form that fits, from a form on. A
// partition is never blocked for the sake of a detail. The error is that of the last
// form tried; form is the one that was written.
func (w *Writer) alone(ctx context.Context, e *Entry, topic string, from int) (r *kgo.Record, form int, err error) {
	for form = from; form < len(forms); form++ {
		if r, err = w.p.Client.ProduceSync(ctx, forms[form](e, topic)).First(); !TooLarge(err) {
			return r, form, err
		}
	}
	return r, form, err
}

// limit is how large a batch of a topic may be, in bytes.
func (w *Writer) limit(topic string) int {
	if f, ok := w.p.Client.OptValue(kgo.ProducerBatchMaxBytesFn).(func(string) int32); ok && f != nil {
		return int(f(topic))
	}
	return math.MaxInt
}

func (w *Writer) sayPointer(e *Entry, topic string) {
	w.log.Error("dead letter does not fit into its topic, only a pointer to its source is kept: raise max.message.bytes",
		"topic", topic, "entry", e.ID, "source", e.Envelope.Source.String(), "bytes", len(e.Envelope.Source.Value))
}

// giveUp is what is left of an entry that not even its last form fits.
func (w *Writer) giveUp(e *Entry, topic string) {
	s := e.Envelope.Source
	w.refused.WithLabelValues(sourceOf(topic)).Inc()
	w.log.Error("dead letter refused as too large in its smallest form, record is skipped: read it at its source and raise max.message.bytes of the dead-letter topic",
		"dead_letter_topic", topic, "topic", s.Topic, "partition", s.Partition, "offset", s.Offset, "entry", e.ID,
		"rule", e.Rule(), "channel", e.Envelope.Channel, "reason", e.Reason, "cause", e.Cause)
}

// closeBriefly writes a tombstone without its comments.
func (w *Writer) closeBriefly(ctx context.Context, c Closure) (*kgo.Record, error) {
	c.Closing = Closing{State: c.State, At: c.At}
	return w.p.Client.ProduceSync(ctx, c.Encode()).First()
}

func (w *Writer) giveUpClosing(c *Closure) {
	w.refused.WithLabelValues(sourceOf(c.Topic)).Inc()
	w.log.Error("closing of a dead letter refused as too large, the dead letter stays open: raise max.message.bytes of its topic",
		"topic", c.Topic, "entry", string(c.Key), "outcome", c.State, "by", c.By, "at", c.At.UTC().Format(time.RFC3339))
}
