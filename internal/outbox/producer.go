// Package outbox writes deliveries into the outbox topics of their channels.
// Start reading at Producer.Send.
package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// Params is what a Producer needs.
type Params struct {
	Broker   Broker
	Group    string
	Channels []string
	// SingleOwner reports whether one instance owns a channel's whole outbox, which is
	// then written by severity (see bySeverity); nil: of no channel.
	SingleOwner func(channel string) bool
	Tracer      *tracing.Tracer // nil: no spans
	Logger      *slog.Logger
}

// Producer writes outbox records. It knows the id of each outbox topic that it
// writes to and how many partitions the topic had when it was first seen.
// Partitions that are added later are used after the next start, since the
// alerts of a key are in order within one partition only. It is safe for
// concurrent use.
type Producer struct {
	p      Params
	follow *dlq.Follower
	single map[string]bool // topics of channels with a single owner
	log    *slog.Logger

	mu     sync.Mutex
	topics map[string]instance
}

// instance is one life of a topic, from its creation to its deletion.
type instance struct {
	id         string
	partitions int32
}

// New returns a producer; Load must succeed before it is used.
func New(p Params) *Producer {
	single := make(map[string]bool)
	for _, c := range p.Channels {
		single[topics.Outbox(p.Group, c)] = p.SingleOwner != nil && p.SingleOwner(c)
	}
	return &Producer{
		p: p, single: single, follow: dlq.NewFollower(p.Broker.Forget), log: p.Logger.With("component", "ingest"),
		topics: make(map[string]instance),
	}
}

// Load looks up the outbox topics of all channels. While brokers do not answer
// it tries again, until ctx ends.
func (p *Producer) Load(ctx context.Context) error {
	for _, c := range p.p.Channels {
		topic := topics.Outbox(p.p.Group, c)
		lookUp := func() (err error) {
			found := instance{}
			if found.id, found.partitions, err = p.p.Broker.LookUp(ctx, topic); err == nil {
				p.mu.Lock()
				p.topics[topic] = found
				p.mu.Unlock()
			}
			return err
		}
		if err := backoff.Retry(lookUp, backoff.WithContext(backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(250*time.Millisecond), backoff.WithMultiplier(2),
			backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0)), ctx)); err != nil {
			return fmt.Errorf("look up outbox topic %s: %w", topic, err)
		}
	}
	return nil
}

// Has reports whether there is such a channel.
func (p *Producer) Has(channel string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.topics[topics.Outbox(p.p.Group, channel)]
	return ok
}

// Write is one outbox record that is written until it is acknowledged.
type Write struct {
	Envelope *envelope.Envelope
	Record   *kgo.Record
	// Alone is set when the record was refused for its size. The refusal may have
	// been for what else was in its batch, so it is written once more, alone.
	Alone bool

	answered chan struct{} // closed when err is final
	err      error
	overtook bool // it is acknowledged, and one before it is not
	turn     int  // of the Follower
	span     *tracing.Span
}

// Answered is closed when the record is acknowledged or has failed.
func (w *Write) Answered() <-chan struct{} { return w.answered }

// Err returns nil once the record is acknowledged; it is valid after Answered.
func (w *Write) Err() error { return w.err }

// writeSize is what a write takes beside its texts, in bytes: its record, its
// envelope and its span.
const writeSize = 1 << 10

// Size returns what a write takes beside its source's record, in bytes: its
// headers, and the alert, which stands in one of them too.
func (w *Write) Size() int {
	n := writeSize
	for _, h := range w.Record.Headers[len(w.Envelope.Source.Headers):] {
		n += 2 * (len(h.Key) + len(h.Value))
	}
	return n
}

// GiveUp ends the span of a write that is not written again, with its cause. It
// changes nothing for one that was acknowledged.
func (w *Write) GiveUp(cause outcome.Cause) {
	w.span.Fail(string(cause))
	w.span.End()
}

// Send begins to write the outbox record of an envelope, behind those of its
// sequence.
func (p *Producer) Send(s *Sequence, e *envelope.Envelope) *Write {
	w := &Write{Envelope: e, span: p.p.Tracer.Send(topics.Outbox(p.p.Group, e.Channel), e.Trace, e.Source.Headers)}
	w.span.Set(slog.String("channel", e.Channel), slog.String("delivery", e.Delivery), slog.String("rule", e.Alert.Rule), slog.String("severity", string(e.Alert.Severity)))
	e.Trace = w.span.Traceparent()
	p.SendAgain(s, w)
	return w
}

// SendAgain writes a record that is new or has failed. Records of one source
// partition and one outbox keep their order if they are one sequence, and none is
// sent again before all are answered.
func (p *Producer) SendAgain(s *Sequence, w *Write) {
	topic := topics.Outbox(p.p.Group, w.Envelope.Channel)
	p.mu.Lock()
	partitions := p.topics[topic].partitions
	p.mu.Unlock()
	w.Record = Record(w.Envelope, topic, partitions)
	if p.single[topic] {
		w.Record.Partition = Partition(w.Envelope, w.Record.Key, partitions, true)
	}
	answered := make(chan struct{})
	w.answered, w.err, w.turn = answered, nil, p.follow.Turn(topic)
	to := place{topic, w.Record.Partition}
	if s.hasFailed(to) {
		w.err = ErrBehind
		close(answered)
		return
	}
	p.p.Broker.Produce(w.Record, func(r *kgo.Record, err error) {
		if err == nil {
			w.overtook = s.hasFailed(to)
			w.span.Wrote(r.Partition, r.Offset)
			w.span.End()
		} else {
			s.fail(to)
		}
		w.err = err
		close(answered)
	})
}

// Recover follows the outbox topics of writes that failed, where a topic was
// recreated.
func (p *Producer) Recover(ctx context.Context, failed []*Write) {
	refreshed := make(map[string]bool)
	for _, w := range failed {
		topic := w.Record.Topic
		if p.follow.Failed(topic, w.turn, w.err) {
			p.log.Warn("topic was recreated, writing to the new one", "topic", topic)
		}
		if !refreshed[topic] {
			refreshed[topic] = true
			p.Refresh(ctx, topic)
		}
	}
}

// Refresh looks up how many partitions an outbox topic has, if it was recreated.
func (p *Producer) Refresh(ctx context.Context, topic string) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	id, partitions, err := p.p.Broker.LookUp(ctx, topic)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.topics[topic].id != id { // else a key stays in its partition
		p.topics[topic] = instance{id, partitions}
	}
}
