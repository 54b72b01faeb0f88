package backtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/term"
)

// spans returns the parts of the topics with the events of the period, as of now.
func (r *run) spans(ctx context.Context, cl *kgo.Client, log *dlq.Log) ([]dlq.Span, error) {
	admin := kadm.NewClient(cl)
	if err := r.identify(ctx, admin); err != nil {
		return nil, err
	}
	var all, whole []dlq.Span
	some := false
	r.earliest = make(map[string]time.Time)
	for _, topic := range r.topics { // one at a time: a forbidden one would fail all others
		spans, err := log.Spans(ctx, topic)
		if err != nil {
			return nil, explain(err, topic)
		}
		whole = append(whole, spans...)
		since, err := offsetsAt(ctx, admin, topic, r.since)
		if err != nil {
			return nil, explain(err, topic)
		}
		until := kadm.ListedOffsets{}
		if r.until.Before(r.now) {
			if until, err = offsetsAt(ctx, admin, topic, r.until); err != nil {
				return nil, explain(err, topic)
			}
		}
		for _, s := range spans {
			first, _ := since.Lookup(topic, s.Partition)
			if first.Offset <= s.Start && s.Start > 0 && first.Timestamp > r.since.UnixMilli() {
				if at := time.UnixMilli(first.Timestamp); at.After(r.earliest[topic]) {
					r.earliest[topic] = at
				}
			}
			s.Start = max(s.Start, first.Offset)
			if last, ok := until.Lookup(topic, s.Partition); ok {
				s.End = min(s.End, last.Offset)
			}
			some = some || s.Start < s.End
			all = append(all, s)
		}
	}
	if !some {
		return nil, r.nothing(ctx, log, whole)
	}
	for _, topic := range r.topics {
		if at := r.earliest[topic]; !at.IsZero() {
			term.WriteMessage(r.g.IO.Err, fmt.Sprintf("%s has no events from before %s: retention has deleted them", topic, term.Stamp(at)))
		}
	}
	return all, nil
}

// identify learns the ids of cluster and topics, of which those of alerts are made.
func (r *run) identify(ctx context.Context, admin *kadm.Client) error {
	brokers, err := admin.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	r.cluster, r.topicIDs = brokers.Cluster, make(map[string]string)
	for _, topic := range r.topics {
		found, err := admin.ListTopics(ctx, topic)
		if err = cmp.Or(err, found.Error()); err != nil {
			return explain(err, topic)
		}
		r.topicIDs[topic] = envelope.TopicID(found[topic].ID)
	}
	return nil
}

// offsetsAt returns the first offsets whose timestamp is not before a time.
func offsetsAt(ctx context.Context, admin *kadm.Client, topic string, at time.Time) (kadm.ListedOffsets, error) {
	offsets, err := admin.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topic)
	return offsets, errors.Join(err, offsets.Error())
}

// nothing says that no event is of the period, and when the newest one was.
func (r *run) nothing(ctx context.Context, log *dlq.Log, whole []dlq.Span) error {
	var newest *kgo.Record
	for _, s := range whole {
		if s.Start >= s.End {
			continue
		}
		records, _, err := log.Read(ctx, s.Topic, s.Partition, s.End-1, 1)
		if err == nil && len(records) > 0 && (newest == nil || records[0].Timestamp.After(newest.Timestamp)) {
			newest = records[0]
		}
	}
	period := "since " + term.Stamp(r.since)
	if r.until.Before(r.now) {
		period += " until " + term.Stamp(r.until)
	}
	text := fmt.Sprintf("no event of %s %s", strings.Join(r.topics, ", "), period)
	switch {
	case newest != nil:
		text += fmt.Sprintf(": the newest is of %s, in %s", term.Stamp(newest.Timestamp), newest.Topic)
	default:
		text += ": the topics are empty"
	}
	return errors.New(text)
}

// explain names the remedy of an error of reading a topic; empty: the error names it.
func explain(err error, topic string) error {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition) && topic != "":
		return fmt.Errorf("topic %s is missing: run 'notifier topics create', or choose others with --topic", topic)
	case errors.Is(err, kerr.TopicAuthorizationFailed) && topic != "":
		return fmt.Errorf("not allowed to read topic %s (%w): grant READ on it", topic, kerr.TopicAuthorizationFailed)
	case topic != "":
		return fmt.Errorf("read topic %s: %w", topic, err)
	}
	return err
}
