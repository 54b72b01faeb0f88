package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/topics"
)

// takeResend takes a request to send an alert again. It is settled once the outbox of
// its channel has the alert.
func (a *assignment) takeResend(q *request, s *Resend) {
	asked := Request{Channel: s.Channel, To: true, By: s.By, Comment: s.Comment, Run: "resend " + s.Alert, Total: 1}
	q.run = a.runOf(&asked)
	q.run.open++
	if a.p.Channels.Has(s.Channel) {
		q.line = a.lineOf(&asked)
	}
	if q.line == nil {
		a.log.Error("cannot send an alert again to a channel that is not configured", "alert", s.Alert, "channel", s.Channel, "by", s.By)
		a.settle(q, dropped)
		return
	}
	q.resend = s
	q.line.queue = append(q.line.queue, q)
}

// resend adds the alert of a request to the batch; false means that ctx ended first.
func (b *batch) resend(ctx context.Context, q *request) bool {
	s := q.resend
	rec, err := b.outboxRecord(ctx, q.line, s)
	if ctx.Err() != nil {
		return false
	}
	var e *envelope.Envelope
	if err == nil {
		e, err = s.From(rec)
	}
	if err != nil {
		b.log.Warn("request to send an alert again dropped", "alert", s.Alert, "channel", s.Channel, "by", s.By, "err", err)
		b.settle(q, dropped)
		return true
	}
	again := &envelope.Replay{Entry: s.Alert, Version: q.offset, Number: 1, By: s.By, Comment: s.Comment, FirstFailed: e.Alert.EventTime}
	if e.Replay != nil {
		again.Edited, again.EditedBy = e.Replay.Edited, e.Replay.EditedBy
	}
	out := &envelope.Envelope{Source: e.Source, Alert: e.Alert, Channel: s.Channel, Delivery: alert.NewDelivery(s.Alert, s.Channel), Replay: again, Trace: e.Trace}
	if e.Channel == s.Channel {
		out.Delivery = e.Delivery
	}
	out.From = offsets.Origin{
		Input: b.part.Input(), From: offsets.Position{Epoch: q.epoch, Offset: q.offset}, Done: b.part.Committed(), Delivery: out.DedupID(),
	}
	n := len(rec.Value)
	for _, h := range rec.Headers {
		n += len(h.Key) + len(h.Value)
	}
	q.state = forwarded
	q.line.forwarded++
	b.bytes += n
	b.part.Charge(n)
	b.deliveries = append(b.deliveries, out)
	b.resends = append(b.resends, q)
	return true
}

// outboxRecord reads the record that a request names. It tries until ctx ends while the
// brokers do not answer.
func (a *assignment) outboxRecord(ctx context.Context, l *line, s *Resend) (*kgo.Record, error) {
	wait := newBackoff()
	for {
		rec, err := s.Read(ctx, a.admin, a.reader.Log, a.p.Group)
		var refused *kerr.Error
		if err == nil || errors.Is(err, errGone) || errors.As(err, &refused) && !refused.Retriable {
			a.blocked(l)("")
			return rec, err
		}
		a.blocked(l)(fmt.Sprintf("the outbox of %s cannot be read (%s)", s.Outbox, brief(err)))
		if !sleep(ctx, wait.NextBackOff()) {
			return nil, ctx.Err()
		}
	}
}

// Read reads the record of the outbox that the request names. It is gone if the topic
// was recreated, or the record deleted.
func (s *Resend) Read(ctx context.Context, admin *kadm.Client, log *dlq.Log, group string) (*kgo.Record, error) {
	topic := topics.Outbox(group, s.Outbox)
	found, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return nil, err
	}
	d := found[topic]
	if _, ok := d.Partitions[s.Partition]; errors.Is(d.Err, kerr.UnknownTopicOrPartition) || d.Err == nil && (!ok || envelope.TopicID(d.ID) != s.TopicID) {
		return nil, errGone
	}
	if d.Err != nil {
		return nil, d.Err
	}
	records, _, err := log.Read(ctx, topic, s.Partition, s.Offset, chunkBytes)
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		return nil, errGone
	case err != nil:
		return nil, err
	case len(records) == 0 || records[0].Offset != s.Offset:
		return nil, errGone
	}
	return records[0], nil
}
