package lag

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/health/brokers"
)

// described is a group as described by its coordinator.
type described struct {
	state   string
	members int
	owners  map[string]map[int32]member // by topic and partition
	topics  []string                    // that its members subscribe to
	err     error
}

// member is the owner of a partition.
type member struct{ clientID, host string }

func (d *described) owns(topic string, partition int32, m member) {
	if d.owners == nil {
		d.owners = make(map[string]map[int32]member)
	}
	if d.owners[topic] == nil {
		d.owners[topic] = make(map[int32]member)
	}
	d.owners[topic][partition] = m
}

// describe returns the state of groups of both protocols. For a group of KIP-848, the
// classic request returns GROUP_ID_NOT_FOUND, or in kfake no members.
func (l *Sampler) describe(ctx context.Context, names []string) (map[string]described, error) {
	all := make(map[string]described, len(names))
	if len(names) == 0 {
		return all, nil
	}
	groups, failed, err := each(names, func(names ...string) (kadm.DescribedGroups, error) { return l.adm.DescribeGroups(ctx, names...) })
	if err != nil {
		return nil, err
	}
	var unknown []string
	for _, name := range names {
		g, answered := groups[name]
		switch {
		case failed[name] != nil:
			all[name] = described{err: failed[name]}
		case answered && g.Err == nil && (g.State == "Empty" || len(g.Members) > 0):
			all[name] = classic(&g)
		case answered && g.Err != nil && !errors.Is(g.Err, kerr.GroupIDNotFound):
			all[name] = described{err: g.Err}
		default:
			all[name] = described{state: Dead}
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return all, nil
	}
	// Brokers before 3.7 do not know this request and have no such groups.
	newer, _, _ := each(unknown, func(names ...string) (kadm.DescribedConsumerGroups, error) {
		return l.adm.DescribeConsumerGroups(ctx, names...)
	})
	for name, g := range newer {
		if g.Err == nil && g.State != Dead {
			all[name] = consumer(&g)
		}
	}
	return all, nil
}

func classic(g *kadm.DescribedGroup) described {
	d := described{state: g.State, members: len(g.Members), topics: g.JoinTopics()}
	for _, m := range g.Members {
		if a, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range a.Topics {
				for _, p := range t.Partitions {
					d.owns(t.Topic, p, member{m.ClientID, m.ClientHost})
				}
			}
		}
	}
	return d
}

func consumer(g *kadm.DescribedConsumerGroup) described {
	d := described{state: g.State, members: len(g.Members), topics: g.SubscribedTopics()}
	for _, m := range g.Members {
		for topic, partitions := range m.Assignment {
			for p := range partitions {
				if topic != "" { // kfake gives ids alone
					d.owns(topic, p, member{m.ClientID, m.ClientHost})
				}
			}
		}
	}
	return d
}

// each requests all names at once. If one is not authorised, for which kadm fails the
// request, it requests them one by one. The error means that no broker responds.
func each[M ~map[string]T, T any](names []string, request func(...string) (M, error)) (all M, failed map[string]error, err error) {
	all, failed = make(M), make(map[string]error)
	take := func(names ...string) (forbidden bool) {
		got, err := request(names...)
		maps.Copy(all, got)
		var denied *kadm.AuthError
		if errors.As(err, &denied) && len(names) > 1 {
			return true
		}
		for _, name := range names {
			if _, there := all[name]; !there && err != nil {
				failed[name] = plain(err)
			}
		}
		return false
	}
	if take(names...) {
		for _, name := range names {
			take(name)
		}
	}
	if len(all) == 0 && len(failed) > 0 && !errors.As(failed[names[0]], new(*kadm.AuthError)) {
		return nil, nil, failed[names[0]]
	}
	return all, failed, nil
}

// plain returns the first error of a request to several brokers.
func plain(err error) error {
	var some *kadm.ShardErrors
	if errors.As(err, &some) && len(some.Errs) > 0 {
		return some.Errs[0].Err
	}
	return err
}

// topicLogs are the partitions of a topic.
type topicLogs struct {
	id   string // the topic's, in text; empty where the broker has no ids
	err  error  // ErrNoTopic, not authorised
	logs brokers.Logs
}

// logs returns the log offsets of topics.
func (l *Sampler) logs(ctx context.Context, names []string) (map[string]topicLogs, error) {
	if len(names) == 0 {
		return nil, nil
	}
	logs, _, err := l.view.Logs(ctx, 0, names...)
	if err != nil {
		return nil, err
	}
	details, err := l.view.Topics(ctx, sampleTimeout, names...) // cached by Logs
	if err != nil {
		return nil, err
	}
	all := make(map[string]topicLogs, len(names))
	for _, name := range names {
		all[name] = topicLogs{id: envelope.TopicID(details[name].ID), err: topicError(name, details[name].Err), logs: logs[name]}
	}
	return all, nil
}

// present returns the existing topics.
func present(all map[string]topicLogs) (names []string) {
	for name, t := range all {
		if t.err == nil {
			names = append(names, name)
		}
	}
	return names
}

func topicError(topic string, err error) error {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return ErrNoTopic
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("not authorised: DESCRIBE on topic %s", topic)
	}
	return err
}
