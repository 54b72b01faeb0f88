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

// Missing returns the topics that do not exist. A topic without DESCRIBE
// permission cannot be checked: the error is then a *Problem.
func Missing(ctx context.Context, adm *kadm.Client, want []Shape) ([]Shape, error) {
	var missing []Shape
	var denied []string
	for _, s := range want {
		d, err := lookUp(ctx, adm, s.Topic)
		switch {
		case err != nil:
			return nil, err
		case IsDenied(d.Err):
			denied = append(denied, s.Topic)
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, s)
		}
	}
	if len(denied) > 0 {
		return nil, deniedf("not authorized to describe topics [%s]: grant DESCRIBE on them, or on the prefix", strings.Join(denied, ", "))
	}
	return missing, nil
}

// Existing returns the shapes whose topics exist, with their present numbers of partitions
// and replicas.
func Existing(ctx context.Context, adm *kadm.Client, want []Shape) ([]Shape, error) {
	var existing []Shape
	for _, s := range want {
		d, err := lookUp(ctx, adm, s.Topic)
		if err != nil {
			return nil, err
		}
		if d.Err != nil || len(d.Partitions) == 0 {
			continue
		}
		s.Partitions, s.Replication = int32(len(d.Partitions)), int16(d.Partitions.NumReplicas())
		existing = append(existing, s)
	}
	return existing, nil
}

// lookUp describes one topic in a separate request: one forbidden topic fails a
// combined request.
func lookUp(ctx context.Context, adm *kadm.Client, topic string) (kadm.TopicDetail, error) {
	ctx, cancel := context.WithTimeout(kadm.WithAuthorizedOps(ctx), requestTimeout)
	defer cancel()
	details, err := adm.ListTopics(ctx, topic)
	switch {
	case IsDenied(err):
		return kadm.TopicDetail{Topic: topic, Err: kerr.TopicAuthorizationFailed}, nil
	case err != nil:
		return kadm.TopicDetail{}, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	return details[topic], nil
}

// requestTimeout bounds one request of a check.
const requestTimeout = 5 * time.Second

// Create creates topics; existing ones are no error.
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
		case IsDenied(err):
			return deniedf("not authorized to create topic %s: grant CREATE on it or on the prefix, or have an administrator create it", s.Topic)
		case resp.ErrMessage != "":
			return fmt.Errorf("create topic %s: %s", s.Topic, resp.ErrMessage)
		default:
			return fmt.Errorf("create topic %s: %w", s.Topic, err)
		}
	}
	return nil
}

// MaxMessageBytes returns a function from topic to max.message.bytes, for
// producers.
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

// WaitUsable waits up to d until every partition of new topics has a leader.
func WaitUsable(ctx context.Context, adm *kadm.Client, created []Shape, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for _, s := range created {
		for {
			detail, err := lookUp(ctx, adm, s.Topic)
			if err == nil && usable(detail) && len(detail.Partitions) == int(s.Partitions) {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("topic %s was created but has no leader after %s", s.Topic, d)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

// usable reports whether every partition has a leader.
func usable(d kadm.TopicDetail) bool {
	for _, p := range d.Partitions {
		if p.Leader < 0 {
			return false
		}
	}
	return d.Err == nil
}
