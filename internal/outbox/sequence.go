package outbox

import (
	"errors"
	"sync"
)

// Sequence is writes that keep their order: once one has failed, those behind it to
// the same partition fail with ErrBehind, unsent. Kafka clients fail what they have
// buffered of a partition together, and send what is produced afterwards. The zero
// value is ready to use.
type Sequence struct {
	mu     sync.Mutex
	failed map[place]bool
}

// place is a partition of an outbox topic.
type place struct {
	topic     string
	partition int32
}

// ErrBehind is why a record was not sent: one before it failed.
var ErrBehind = errors.New("not sent: a record before it was not acknowledged")

func (s *Sequence) fail(at place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = make(map[place]bool)
	}
	s.failed[at] = true
}

func (s *Sequence) hasFailed(at place) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed[at]
}

// Restart forgets failures: everything is answered, and what has failed is sent
// again in order.
func (s *Sequence) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.failed)
}

// LogOvertaken logs where writes of a sequence, which are answered, changed their
// order. A client says a moment after a failure that there was one: what is produced
// in it is sent.
func (p *Producer) LogOvertaken(writes []*Write) {
	first := make(map[place]*Write) // that failed
	last := make(map[place]*Write)  // that overtook it
	for _, w := range writes {
		at := place{w.Record.Topic, w.Record.Partition}
		switch {
		case w.err != nil && first[at] == nil:
			first[at] = w
		case w.overtook && first[at] != nil:
			last[at] = w
		}
	}
	for at, w := range last {
		e, until := first[at].Envelope, w.Envelope.Source
		p.log.Warn("alerts were written out of order, since the outbox refused a write", "outbox", at.topic, "topic", e.Source.Topic, "partition", e.Source.Partition,
			"offset", e.Source.Offset, "until", until.Offset, "delivery", e.Delivery, "err", first[at].err)
	}
}
