package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Missing returns those of the topics that do not exist. A broker does not say
// whether one exists that we may not describe: then the error is a *Problem.
func Missing(ctx context.Context, adm *kadm.Client, want []Shape) ([]Shape, error) {
	var missing []Shape
	var denied []string
	for _, s := range want {
		d, err := lookUp(ctx, adm, s.Topic)
		switch {
		case err != nil:
			return nil, err
		case isDenied(d.Err):
			denied = append(denied, s.Topic)
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, s)
		}
	}
	if len(denied) > 0 {
		return nil, deniedf("not allowed to look at topics [%s]: grant DESCRIBE on them, or on the prefix", strings.Join(denied, ", "))
	}
	return missing, nil
}

// lookUp asks about one topic in a request of its own: one forbidden topic in
// a joint request would leave the others without an answer.
func lookUp(ctx context.Context, adm *kadm.Client, topic string) (kadm.TopicDetail, error) {
	ctx, cancel := context.WithTimeout(kadm.WithAuthorizedOps(ctx), requestTimeout)
	defer cancel()
	details, err := adm.ListTopics(ctx, topic)
	switch {
	case isDenied(err):
		return kadm.TopicDetail{Topic: topic, Err: kerr.TopicAuthorizationFailed}, nil
	case err != nil:
		return kadm.TopicDetail{}, fmt.Errorf("look up topic %s: %w", topic, err)
	}
	return details[topic], nil
}

// requestTimeout bounds one request of a check.
const requestTimeout = 5 * time.Second

// Create makes topics. One that somebody else made meanwhile is fine.
func Create(ctx context.Context, adm *kadm.Client, topics []Shape) error {
	for _, s := range topics {
		configs := make(map[string]*string, len(s.Configs))
		for k, v := range s.Configs {
			configs[k] = &v
		}
		ctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
		resp, err := adm.CreateTopic(ctx, s.Partitions, s.Replication, configs, s.Topic)
		cancel()
		if err == nil {
			err = resp.Err
		}
		switch {
		case err == nil, errors.Is(err, kerr.TopicAlreadyExists):
		case isDenied(err):
			return deniedf("not allowed to create topic %s: grant CREATE on it, or on the prefix, or have it made by somebody who may", s.Topic)
		case resp.ErrMessage != "":
			return fmt.Errorf("create topic %s: %s", s.Topic, resp.ErrMessage)
		default:
			return fmt.Errorf("create topic %s: %w", s.Topic, err)
		}
	}
	return nil
}

// MaxMessageBytes returns how large a batch each topic takes, for producers.
func MaxMessageBytes(shapes []Shape) func(topic string) int32 {
	sizes := make(map[string]int32, len(shapes))
	for _, s := range shapes {
		if n, err := strconv.ParseInt(s.Configs["max.message.bytes"], 10, 32); err == nil {
			sizes[s.Topic] = int32(n)
		}
	}
	return func(topic string) int32 {
		if n := sizes[topic]; n > 0 {
			return n
		}
		return DefaultMaxMessage
	}
}

// WaitUsable waits until every partition of these topics has a leader: a topic
// is made some time before it can be used.
func WaitUsable(ctx context.Context, adm *kadm.Client, made []Shape, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for _, s := range made {
		for {
			detail, err := lookUp(ctx, adm, s.Topic)
			if err == nil && usable(detail) && len(detail.Partitions) == int(s.Partitions) {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("topic %s was made and has no leader after %s", s.Topic, d)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

// usable reports whether every partition has a leader. Whoever makes topics need
// not be allowed to read them.
func usable(d kadm.TopicDetail) bool {
	for _, p := range d.Partitions {
		if p.Leader < 0 {
			return false
		}
	}
	return d.Err == nil
}
