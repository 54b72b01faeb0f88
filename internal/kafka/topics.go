package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// Finding is something about a topic that is not as it should be.
type Finding struct {
	Topic   string
	Warning bool // it works all the same
	Text    string
}

// Check compares topics with the shapes they should have.
func Check(ctx context.Context, adm *kadm.Client, want []Shape) ([]Finding, error) {
	var findings []Finding
	say := func(topic string, warning bool, format string, args ...any) {
		findings = append(findings, Finding{Topic: topic, Warning: warning, Text: fmt.Sprintf(format, args...)})
	}
	counts := make(map[int][]string)
	for _, s := range want {
		d, err := lookUp(ctx, adm, s.Topic)
		switch {
		case err != nil:
			return nil, err
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			say(s.Topic, false, "missing: run 'notifier topics create'")
			continue
		case isDenied(d.Err):
			say(s.Topic, false, "forbidden: grant DESCRIBE on it, or on the prefix")
			continue
		case d.Err != nil:
			say(s.Topic, false, "%v", d.Err)
			continue
		}
		configs, err := topicConfigs(ctx, adm, s.Topic)
		if err != nil {
			say(s.Topic, true, "its configuration cannot be read (%s), so nobody knows whether it fits%s", word(err), grantDescribeConfigs(err))
			continue
		}
		if s.Role == RoleSource {
			counts[len(d.Partitions)] = append(counts[len(d.Partitions)], s.Topic)
		}
		compareTopic(s, len(d.Partitions), configs, say)
	}
	if len(counts) > 1 {
		for n, names := range counts {
			say(names[0], true, "the sources differ in their partitions: %s %s %d", strings.Join(names, ", "), plural(len(names), "has", "have"), n)
		}
		slices.SortStableFunc(findings, func(a, b Finding) int { return strings.Compare(a.Topic, b.Topic) })
	}
	return findings, nil
}

func grantDescribeConfigs(err error) string {
	if isDenied(err) {
		return ": grant DESCRIBE_CONFIGS on it, or on the prefix"
	}
	return ""
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func compareTopic(s Shape, partitions int, configs map[string]string, say func(topic string, warning bool, format string, args ...any)) {
	compacted := strings.Contains(configs["cleanup.policy"], "compact")
	have, _ := strconv.Atoi(configs["max.message.bytes"])
	need, _ := strconv.Atoi(s.Configs["max.message.bytes"])
	switch s.Role {
	case RoleSource:
		if compacted {
			say(s.Topic, true, "is compacted: events that are replaced before they are read raise no alert")
		}
		if retention, err := strconv.ParseInt(configs["retention.ms"], 10, 64); err == nil && retention >= 0 && !compacted && retention < (24*time.Hour).Milliseconds() {
			say(s.Topic, true, "keeps events for %s only: an outage longer than that loses alerts", time.Duration(retention)*time.Millisecond)
		}
		return
	case RoleDeadLetter:
		if configs["cleanup.policy"] != "compact" {
			say(s.Topic, false, "its cleanup.policy is %s: dead letters would expire; set it to compact", configs["cleanup.policy"])
		}
		if partitions != 1 {
			say(s.Topic, false, "has %d partitions, want 1: an entry and what closes it must stand in one log; make it anew", partitions)
		}
	case RoleReplay:
		if compacted {
			say(s.Topic, false, "is compacted: requests would be lost; set cleanup.policy to delete")
		}
		if partitions != 1 {
			say(s.Topic, false, "has %d partitions, want 1: one daemon has to see all requests; make it anew", partitions)
		}
	case RoleOutbox:
		if compacted {
			say(s.Topic, false, "is compacted: alerts with the same key would be lost; set cleanup.policy to delete")
		}
		if partitions != int(s.Partitions) {
			say(s.Topic, s.Partitions != 1, "has %d partitions, want %d%s", partitions, s.Partitions, onlyOne(s.Partitions))
		}
	}
	if have < need {
		say(s.Topic, s.Role != RoleDeadLetter, "takes messages of %d bytes, want %d: a large event would not fit; raise max.message.bytes", have, need)
	}
}

func onlyOne(want int32) string {
	if want == 1 {
		return ": pace and throttle would hold per partition only; make it anew, or set the channel's partitions"
	}
	return ""
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
