package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/topics"
)

// Outboxes writes outbox records with a producer of its own. It knows which
// instance of each outbox it writes to, and how many partitions that had at
// first: partitions that are added while it runs are used from the next start
// on, since the alerts of a key are in order within one partition only.
type Outboxes struct {
	// Tracer, if set, makes a span of every record that is written.
	Tracer *tracing.Tracer

	client *kgo.Client
	follow *dlq.Follower
	admin  *kadm.Client
	group  string
	log    *slog.Logger

	mu     sync.Mutex
	ids    map[string]string // topic → id of the instance written to
	counts map[string]int32  // topic → partitions
}

// NewOutboxes looks up the outbox topics of these channels, again until ctx
// ends while brokers do not answer. The client must be made for it: idempotent,
// acks=all, manual partitioner, no delivery timeout.
func NewOutboxes(ctx context.Context, client *kgo.Client, group string, channels []string, log *slog.Logger) (*Outboxes, error) {
	o := &Outboxes{
		client: client, follow: dlq.NewFollower(client), admin: kadm.NewClient(client), group: group, log: log.With("component", "match"),
		ids: make(map[string]string), counts: make(map[string]int32),
	}
	for _, c := range channels {
		topic := topics.Outbox(group, c)
		found, err := o.lookUp(ctx, topic)
		for wait := newBackoff(); err != nil && sleep(ctx, wait.NextBackOff()); {
			found, err = o.lookUp(ctx, topic)
		}
		if err != nil {
			return nil, fmt.Errorf("look up outbox topic %s: %w", topic, err)
		}
		o.ids[topic] = envelope.TopicID(found.ID)
		o.counts[topic] = int32(len(found.Partitions))
	}
	return o, nil
}

func (o *Outboxes) lookUp(ctx context.Context, topic string) (kadm.TopicDetail, error) {
	details, err := o.admin.ListTopics(ctx, topic)
	if err == nil {
		err = details[topic].Err
	}
	return details[topic], err
}

// has reports whether there is such a channel.
func (o *Outboxes) has(channel string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.counts[topics.Outbox(o.group, channel)]
	return ok
}

// write is one outbox record on its way. done is closed when err is final.
type write struct {
	envelope *envelope.Envelope
	record   *kgo.Record
	done     chan struct{}
	err      error
	turn     int  // of the Follower
	alone    bool // it was refused for its size, perhaps for what was in its batch
	span     *tracing.Span
}

// writeSize is what a write takes beside its texts, in bytes: its record, its
// envelope and its span.
const writeSize = 1 << 10

// size is what a write takes beside its source's record, in bytes: its headers,
// and the alert, which stands in one of them too.
func (w *write) size() int {
	n := writeSize
	for _, h := range w.record.Headers[len(w.envelope.Source.Headers):] {
		n += 2 * (len(h.Key) + len(h.Value))
	}
	return n
}

// start produces the outbox record of an envelope.
func (o *Outboxes) start(e *envelope.Envelope) *write {
	w := &write{envelope: e, span: o.Tracer.Send(topics.Outbox(o.group, e.Channel), e.Trace, e.Source.Headers)}
	w.span.Set(slog.String("channel", e.Channel), slog.String("delivery", e.Delivery), slog.String("rule", e.Alert.Rule), slog.String("severity", string(e.Alert.Severity)))
	e.Trace = w.span.Traceparent()
	o.produce(w)
	return w
}

// produce sends, or sends again, perhaps to a new instance of the topic. Records of
// one source partition and one outbox keep their order: one producer, one
// partition, and nothing is produced again before all promises are in.
func (o *Outboxes) produce(w *write) {
	topic := topics.Outbox(o.group, w.envelope.Channel)
	o.mu.Lock()
	count := o.counts[topic]
	o.mu.Unlock()
	w.record = envelope.Outbox(w.envelope, topic, count)
	w.done = make(chan struct{})
	w.err, w.turn = nil, o.follow.Turn(topic)
	done := w.done
	o.client.Produce(context.Background(), w.record, func(r *kgo.Record, err error) {
		if err == nil {
			w.span.Wrote(r.Partition, r.Offset)
			w.span.End()
		}
		w.err = err
		close(done)
	})
}

// failed has the producer follow the outbox topic of a write that failed, if it
// was deleted and made again.
func (o *Outboxes) failed(ctx context.Context, w *write) {
	if o.follow.Failed(w.record.Topic, w.turn, w.err) {
		o.log.Warn("topic was recreated, writing to the new one", "topic", w.record.Topic)
	}
	o.refresh(ctx, w.record.Topic)
}

// refresh looks how many partitions an outbox topic has, if it is another one
// than before.
func (o *Outboxes) refresh(ctx context.Context, topic string) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	found, err := o.lookUp(ctx, topic)
	if err != nil {
		return
	}
	id := envelope.TopicID(found.ID)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ids[topic] != id { // else its count stands, so that a key stays where it is
		o.ids[topic], o.counts[topic] = id, int32(len(found.Partitions))
	}
}
