package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/topics"
)

// original reads the record that a pointer stands for at its source, so that the entry
// is as if its value had been kept; bytes is how much the record takes. If the source
// no longer has it, the entry stays a pointer. It tries until ctx ends while the
// brokers do not answer.
func (a *assignment) original(ctx context.Context, q *request, e *dlq.Entry) (whole *dlq.Entry, bytes int) {
	s := &e.Envelope.Source
	if topics.DeadLetter(a.p.Group, topics.Name(s.Topic)) != q.topic { // anybody may have written it
		return e, 0
	}
	wait := newBackoff()
	for ctx.Err() == nil {
		r, err := a.readSource(ctx, s)
		if err != nil {
			a.blocked(q.line)(fmt.Sprintf("topic %s cannot be read (%s)", s.Topic, brief(err)))
			sleep(ctx, wait.NextBackOff())
			continue
		}
		a.blocked(q.line)("")
		if r == nil {
			return e, 0
		}
		restored, env := *e, *e.Envelope
		env.Source.Key, env.Source.Value, env.Source.Headers = r.Key, r.Value, r.Headers
		restored.Envelope, restored.Pointer = &env, false
		bytes = len(r.Value)
		for _, h := range r.Headers {
			bytes += len(h.Key) + len(h.Value)
		}
		return &restored, bytes
	}
	return e, 0
}

// readSource reads a source record; nil: its topic no longer has it.
func (a *assignment) readSource(ctx context.Context, s *envelope.Source) (*kgo.Record, error) {
	found, err := a.admin.ListTopics(ctx, s.Topic)
	if err == nil {
		err = found[s.Topic].Err
	}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return nil, nil
	case err != nil:
		return nil, err
	case s.TopicID == "" || s.TopicID != envelope.TopicID(found[s.Topic].ID):
		return nil, nil
	}
	records, _, err := a.reader.Read(ctx, s.Topic, s.Partition, s.Offset, 1) // one batch
	if errors.Is(err, kerr.OffsetOutOfRange) {
		return nil, nil
	}
	for _, r := range records {
		if r.Offset == s.Offset && r.Timestamp.Equal(s.Time) {
			return r, nil
		}
	}
	return nil, err
}
