package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outcome"
)

// sending is the replay of one entry.
type sending struct {
	*batch
	q     *request
	e     *dlq.Entry
	again *envelope.Replay
	span  *tracing.Span
}

// replay adds the results of one entry to the batch; none if ctx ends first.
func (b *batch) replay(ctx context.Context, q *request, e *dlq.Entry, edited []byte) {
	r := &envelope.Replay{Entry: e.ID, Version: e.Offset, Number: e.Replays + 1, By: q.run.by, Comment: q.run.comment, FirstFailed: e.FirstFailed}
	if edited != nil {
		r.Edited, r.EditedBy = edited, q.run.by
	}
	span := b.p.Tracer.Replay(tracing.Record{Topic: b.part.Topic, Partition: b.part.ID, Offset: q.offset, Group: b.p.Group}, e.Envelope.Trace)
	defer span.End()
	span.Set(slog.String("entry", e.ID), slog.Int("replay", r.Number))
	if t := span.Traceparent(); t != "" { // else it keeps its trace
		env := *e.Envelope
		env.Trace, e.Envelope = t, &env
	}
	s := sending{batch: b, q: q, e: e, again: r, span: span}
	switch {
	case e.Pointer && edited == nil:
		s.reopen(outcome.Errorf(e.Cause, "its value was too large to be kept, and %s no longer has it: give it with --payload", e.SourceTopic()), e.Reason)
	case !isDelivery(e):
		s.record(ctx)
	case q.rematch || edited != nil || e.Envelope.Alert == nil:
		s.rematch(ctx)
	default:
		s.asRaised()
	}
}

// asRaised sends a delivery's alert as it was raised.
func (s *sending) asRaised() {
	channel, rule := s.e.Envelope.Channel, s.e.Envelope.Alert.Rule
	if s.q.to {
		channel = s.q.line.channel
	} else if _, there := s.p.Rules(rule); !there {
		s.unrouted("rule %s is no longer configured", rule)
		return
	}
	s.deliver(s.e.Envelope.Alert, channel, s.e.ID)
}

// rematch sends a delivery's event through its rule, to its channel.
func (s *sending) rematch(ctx context.Context) {
	rule, channel := s.e.Rule(), s.e.Envelope.Channel
	to, there := s.p.Rules(rule)
	switch {
	case !there:
		s.unrouted("rule %s is no longer configured", rule)
		return
	case s.q.to:
		channel = s.q.line.channel
	case !slices.Contains(to, channel):
		s.unrouted("rule %s no longer sends to %s", rule, channel)
		return
	}
	alerts, ok := s.match(ctx)
	if !ok {
		return
	}
	state := alert.Firing
	if a := s.e.Envelope.Alert; a != nil {
		state = a.State
	}
	i := slices.IndexFunc(alerts, func(a alert.Alert) bool {
		return a.Rule == rule && a.State == state && (s.q.to || slices.Contains(a.Channels, channel))
	})
	if i < 0 {
		s.close("rule " + rule + " no longer matches it")
		return
	}
	alerts[i].ID = alert.NewID(s.p.Group, s.p.Ingest.Identity(s.e.Envelope.Source), rule)
	if a := s.e.Envelope.Alert; a != nil {
		alerts[i].ID = a.ID
	}
	s.deliver(&alerts[i], channel, s.e.ID)
}

// record sends a record that failed before its rules ran through all rules. Its alerts
// become new deliveries; the entry is closed once they are acknowledged.
func (s *sending) record(ctx context.Context) {
	alerts, ok := s.match(ctx)
	if !ok {
		return
	}
	id, sent := s.p.Ingest.Identity(s.e.Envelope.Source), 0
	for i := range alerts {
		a := &alerts[i]
		s.p.Ingest.Raise(a, id)
		channels := a.Channels
		if s.q.to {
			channels = []string{s.q.line.channel}
		}
		for _, c := range channels {
			if s.p.Channels.Has(c) {
				s.deliver(a, c, alert.NewDelivery(a.ID, c))
				sent++
			} else if s.q.to {
				s.unrouted("channel %s is not configured", c)
				return
			}
		}
	}
	if sent == 0 {
		s.close("no rule matches it")
		return
	}
	s.close("")
}

// match runs the rules; false: the entry is closed or has a new version, or ctx ended.
func (s *sending) match(ctx context.Context) ([]alert.Alert, bool) {
	src := s.e.Envelope.Source
	rec := &kgo.Record{
		Topic: src.Topic, Partition: src.Partition, Offset: src.Offset, Timestamp: src.Time,
		Key: src.Key, Value: src.Value, Headers: src.Headers,
	}
	if s.again.Edited != nil {
		rec.Value = s.again.Edited
	}
	alerts, err, ok := s.p.Ingest.MatchWaiting(ctx, rec, s.e.FirstFailed, time.Now(), s.blocked(s.line))
	switch {
	case !ok:
		return nil, false
	case errors.Is(err, event.ErrTombstone):
		s.close("its value is null: a tombstone is no event")
		return nil, false
	case err != nil:
		f := outcome.Classify(err)
		s.reopen(f, f.Cause.Class().Reason)
		return nil, false
	}
	return alerts, true
}

// deliver puts an alert into its channel's outbox.
func (s *sending) deliver(a *alert.Alert, channel, delivery string) {
	if !s.p.Channels.Has(channel) {
		s.unrouted("channel %s is no longer configured", channel)
		return
	}
	r := *s.again
	if channel == s.e.Envelope.Channel {
		r.Delivered = s.e.Delivered
	}
	e := &envelope.Envelope{Source: s.e.Envelope.Source, Alert: a, Channel: channel, Delivery: delivery, Replay: &r, Trace: s.e.Envelope.Trace}
	e.From = offsets.Origin{
		Input: s.part.Input(),
		From:  offsets.Position{Epoch: s.q.epoch, Offset: s.q.offset},
		Done:  s.part.Committed(), Delivery: e.DedupID(),
	}
	s.deliveries = append(s.deliveries, e)
}

func (s *sending) unrouted(format string, args ...any) {
	s.reopen(outcome.Errorf(outcome.Unrouted, format, args...), outcome.NoLongerRouted)
}

// reopen writes the next version of an entry that failed again.
func (s *sending) reopen(why *outcome.Error, reason outcome.Reason) {
	s.span.Fail(string(why.Cause))
	next := s.e.Again(s.again.EditedBy, s.p.MaxReplays)
	next.Cause, next.Reason, next.Scope, next.Detail, next.FailedRule, next.LastFailed = why.Cause, reason, why.Cause.Class().Scope, why.Detail, why.Rule, time.Now()
	s.dead = append(s.dead, next)
}

// close closes the entry once everything else is acknowledged.
func (s *sending) close(comment string) {
	switch {
	case s.q.run.comment == "":
	case comment == "":
		comment = s.q.run.comment
	default:
		comment = fmt.Sprintf("%s (%s)", s.q.run.comment, comment)
	}
	s.closes = append(s.closes, &dlq.Closure{
		Topic: s.e.Topic, Partition: s.e.Partition, Key: s.e.Key,
		Closing: dlq.Closing{State: dlq.Resolved, By: s.q.run.by, Comment: comment, EditedBy: s.again.EditedBy, At: time.Now()},
	})
}
