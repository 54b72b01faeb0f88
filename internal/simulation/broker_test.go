package simulation

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// broker is the outbox.Broker of one process: its client's buffers, and what the
// brokers make of them.
type broker struct {
	w       *world
	by      int
	atOnce  bool // records are answered as they are produced
	failed  bool // so are those that follow
	crashed bool
	known   map[string]int // by topic: the instance that the client writes to
	buffers []*buffer
	writes  int // records produced
}

// buffer is what a client has in flight for one outbox partition, in order.
type buffer struct {
	topic     string
	partition int32
	records   []*flight // that no broker has answered
	answered  []*flight // whose promises are not called yet
	written   int       // records that the present instance has taken
	swallowed int       // records to come that it takes for duplicates
}

// flight is one record in flight.
type flight struct {
	record  *kgo.Record
	promise func(*kgo.Record, error)
	err     error
}

var (
	errRefusedWrite = errors.New("not enough in-sync replicas")
	errForgotten    = errors.New("topic was forgotten")
)

func newBroker(w *world, by int) *broker { return &broker{w: w, by: by, known: make(map[string]int)} }

// Produce implements outbox.Broker.
func (b *broker) Produce(r *kgo.Record, promise func(*kgo.Record, error)) {
	b.writes++
	if b.w.outbox(r.Topic) == nil {
		b.w.strays = append(b.w.strays, r.Topic)
		return
	}
	if _, ok := b.known[r.Topic]; !ok {
		b.known[r.Topic] = b.w.outbox(r.Topic)[0].instance
	}
	f := &flight{record: r, promise: promise}
	if b.atOnce {
		refused := b.failed || b.w.chance(10)
		if !refused || !b.failed && b.w.chance(30) { // as in arrive
			b.w.appendOutbox(b.by, b.w.outbox(r.Topic)[r.Partition], r)
		}
		if b.failed = refused; refused {
			f.err = errRefusedWrite
		}
		promise(r, f.err)
		return
	}
	i := slices.IndexFunc(b.buffers, func(o *buffer) bool { return o.topic == r.Topic && o.partition == r.Partition })
	if i < 0 {
		i = len(b.buffers)
		b.buffers = append(b.buffers, &buffer{topic: r.Topic, partition: r.Partition})
	}
	b.buffers[i].records = append(b.buffers[i].records, f)
}

// LookUp implements outbox.Broker.
func (b *broker) LookUp(_ context.Context, topic string) (string, int32, error) {
	logs := b.w.outbox(topic)
	return logs[0].id, int32(len(logs)), nil
}

// Forget implements outbox.Broker. A client that forgets a topic which was not
// recreated counts its records from 0 again, and brokers take as many as they know
// for duplicates: they acknowledge and do not write them.
func (b *broker) Forget(topic string) {
	instance := b.w.outbox(topic)[0].instance
	for _, o := range b.buffers {
		if o.topic != topic {
			continue
		}
		o.fail(errForgotten)
		if o.swallowed = o.written; b.known[topic] != instance {
			o.swallowed, o.written = 0, 0
		}
	}
	b.known[topic] = instance
}

func (o *buffer) fail(err error) {
	for _, f := range o.records {
		f.err = err
	}
	o.answered = append(o.answered, o.records...)
	o.records = nil
}

// arrive is a broker answering the first record of a buffer: it takes it, or
// refuses, and then the client fails the whole buffer.
func (b *broker) arrive() bool {
	o := b.buffer(func(o *buffer) bool { return len(o.records) > 0 })
	if o == nil {
		return false
	}
	f := o.records[0]
	log := b.w.outbox(o.topic)[o.partition]
	gone := log.instance != b.known[o.topic]
	refused := gone || b.w.chance(10)
	if !gone && (!refused || b.w.chance(30)) { // taken, though the client may not hear of it
		if o.swallowed > 0 {
			o.swallowed--
		} else {
			b.w.appendOutbox(b.by, log, f.record)
			o.written++
		}
	}
	switch {
	case gone:
		o.fail(kerr.UnknownTopicID)
	case refused:
		o.fail(errRefusedWrite)
	default:
		o.records, o.answered = o.records[1:], append(o.answered, f)
	}
	return true
}

// acknowledge calls the next promise of a buffer.
func (b *broker) acknowledge() bool {
	o := b.buffer(func(o *buffer) bool { return len(o.answered) > 0 })
	if o == nil || b.crashed {
		return false
	}
	f := o.answered[0]
	o.answered = o.answered[1:]
	f.promise(f.record, f.err)
	return true
}

// buffer draws one of the buffers that are so; nil: there is none.
func (b *broker) buffer(is func(*buffer) bool) *buffer {
	var list []*buffer
	for _, o := range b.buffers {
		if is(o) {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[b.w.rng.IntN(len(list))]
}

// crash: what was in flight may arrive late.
func (b *broker) crash() {
	b.crashed = true
	if !b.w.chance(50) {
		b.buffers = nil
	}
}

// idle reports whether nothing more will arrive.
func (b *broker) idle() bool {
	return !slices.ContainsFunc(b.buffers, func(o *buffer) bool { return len(o.records) > 0 })
}
