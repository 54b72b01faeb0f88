package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/topics"
)

// Ends caches the log ends of outboxes by topic. They apply to requests that were read
// before.
type Ends map[string]outboxEnd

type outboxEnd struct {
	topicID string
	parts   map[int32]int64 // empty if the topic is missing
}

func (e Ends) of(ctx context.Context, adm *kadm.Client, topic string) (outboxEnd, error) {
	if known, ok := e[topic]; ok {
		return known, nil
	}
	found := outboxEnd{parts: make(map[int32]int64)}
	details, err := adm.ListTopics(ctx, topic)
	if err == nil {
		err = details[topic].Err
	}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		e[topic] = found
		return found, nil
	case err != nil:
		return found, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	listed, err := adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return found, fmt.Errorf("list end offsets of %s: %w", topic, err)
	}
	found.topicID = envelope.TopicID(details[topic].ID)
	for id, o := range listed[topic] {
		found.parts[id] = o.Offset
	}
	e[topic] = found
	return found, nil
}

// Clamp limits the request to the log ends of the outbox and reports whether it asked for
// more: other writers of the replay topic could ask for future records. If the outbox was
// deleted or recreated, nothing is left of the request.
func (q *Request) Clamp(ctx context.Context, adm *kadm.Client, group string, in Ends) (more bool, err error) {
	there, err := in.of(ctx, adm, topics.Outbox(group, q.From))
	if err != nil {
		return false, err
	}
	if q.TopicID != there.topicID {
		clear(q.Below)
		return false, nil
	}
	for id, below := range q.Below {
		switch end, known := there.parts[id]; {
		case !known:
			delete(q.Below, id)
			more = true
		case below > end:
			q.Below[id] = end
			more = true
		}
	}
	return more, nil
}
