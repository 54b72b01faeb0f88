package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// topicRows delete topics of ours and create them again.
func topicRows() []*row {
	return []*row{
		{
			name: "dlq-deleted", what: "the dead-letter topics are deleted while poison arrives, and recreated after 10 s", static: true,
			during: deleteDeadLetters,
		},
		{
			name: "outbox-deleted", what: "desk's outbox is deleted while nothing is in it, alerts come, and it is recreated", static: true,
			during: deleteOutbox,
		},
	}
}

// deleteDeadLetters deletes the topics. The ledger reads the dead letters in them
// first.
func deleteDeadLetters(ctx context.Context, s *scene) error {
	if err := pause(ctx, 5*time.Second); err != nil {
		return err
	}
	var names []string
	for _, t := range topics.All() {
		names = append(names, topics.DeadLetter(s.group, t))
	}
	// Poison that is dead-lettered after this reading and before the deletion is lost
	// with the topic: so there is none meanwhile.
	s.quiet.Store(true)
	if err := s.settled(ctx); err != nil {
		return err
	}
	gone, err := s.deadLetters(ctx)
	if err != nil {
		return err
	}
	if _, err := s.cluster.admin.DeleteTopics(ctx, names...); err != nil {
		return err
	}
	s.mu.Lock()
	s.kept = append(s.kept, gone...)
	s.mu.Unlock()
	s.quiet.Store(false)
	if err := pause(ctx, 10*time.Second); err != nil {
		return err
	}
	s.note("%d partitions are blocked while the topics are gone", s.blocked(ctx))
	_, err = s.command(ctx, "topics", "create", "--partitions", "6", "--replication", "3")
	return err
}

// blocked returns how many partitions are blocked.
func (s *scene) blocked(ctx context.Context) int {
	n := 0
	for _, d := range s.running() {
		_, body := d.get(ctx, "/metrics")
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "notifier_partition_blocked{") && strings.HasSuffix(line, "} 1\n") {
				n++
			}
		}
	}
	return n
}

// deleteOutbox deletes an outbox without pending alerts. Alerts for it wait, and are
// sent once it is created again.
func deleteOutbox(ctx context.Context, s *scene) error {
	s.quiet.Store(true)
	if err := s.settled(ctx); err != nil {
		return err
	}
	resp, err := s.cluster.admin.DeleteTopic(ctx, topics.Outbox(s.group, desk))
	if err := errors.Join(err, resp.Err); err != nil {
		return err
	}
	s.quiet.Store(false)
	if err := pause(ctx, 10*time.Second); err != nil {
		return err
	}
	_, err = s.command(ctx, "topics", "create", "--partitions", "6", "--replication", "3")
	return err
}
