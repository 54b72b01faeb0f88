package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
)

// pump forwards every request that may be now, in the order in which they were
// made; false means that ctx ended first.
func (w *replaying) pump(ctx context.Context) bool {
	for {
		due := w.due(ctx)
		if len(due) == 0 {
			return true
		}
		for len(due) > 0 {
			n, ok := w.forward(ctx, due)
			if !ok {
				return false
			}
			due = due[n:]
		}
	}
}

// due takes the requests out that may be forwarded now, and drops those that
// came too late.
func (w *replaying) due(ctx context.Context) []*request {
	var due []*request
	for _, l := range w.lines {
		room := perChannel - l.forwarded
		if l.channel == "" && w.backlog.full() && !w.backlog.refresh(ctx, w.p.Admin, w.p.OutboxGroup) {
			continue
		}
		i := 0
		for ; i < len(l.queue) && room > 0 && len(due) < perChannel; i++ {
			n := l.queue[i]
			standing := w.fold.Standing(w.topic(n), n.key, n.version)
			if standing == dlq.Unknown {
				break
			}
			if standing != dlq.Current {
				w.settle(n, dropped)
				continue
			}
			n.state = forwarded
			l.forwarded++
			room--
			due = append(due, n)
		}
		l.queue = l.queue[i:]
	}
	sort.Slice(due, func(i, j int) bool { return due[i].offset < due[j].offset })
	w.forwarded = append(w.forwarded, due...)
	return due
}

// forwarding is what a few requests lead to: outbox records, new versions of
// entries, and entries that are closed once those are acknowledged.
type forwarding struct {
	*Output
	topicID string           // of the replay topic
	done    offsets.Position // below this it was committed
	writes  []*outbox.Write
	closes  []*dlq.Closure
}

// forward reads the first entries, as many as may be held at once, and sends them
// on their way; it returns how many when that is acknowledged, or false when ctx
// ended first.
func (w *replaying) forward(ctx context.Context, due []*request) (sent int, ok bool) {
	b := &forwarding{Output: w.p.Handler.Output(w.part), topicID: w.part.TopicID(), done: w.part.Committed()}
	for _, n := range due {
		if b.Full() {
			break
		}
		sent++
		e, edited, err := w.entry(ctx, n)
		if ctx.Err() != nil {
			return 0, false
		}
		if err != nil {
			w.log.Warn("replay request dropped", "entry", entryID(e), "version", n.version, "by", n.run.by, "err", err)
			w.settle(n, dropped)
			continue
		}
		if e.Cause == outcome.Crashes && edited == nil && !w.spend(ctx, n, e) {
			return 0, false
		}
		w.send(b, n, e, edited)
	}
	w.forwarded = slices.DeleteFunc(w.forwarded, func(n *request) bool { return n.state == settled })
	if !b.Settle(ctx) {
		return 0, false
	}
	for _, x := range b.writes {
		if x.Envelope.Replay.Entry != x.Envelope.Delivery {
			w.backlog.add(x.Record)
		}
	}
	return sent, w.close(ctx, b.closes)
}

// spend writes the next version of an entry that has killed processes before it is
// handled once more, so that its request is settled if it does so again.
func (w *replaying) spend(ctx context.Context, n *request, e *dlq.Entry) bool {
	next := e.Again(n.run.by, w.p.Handler.p.MaxReplays)
	next.State, next.LastFailed = dlq.Quarantined, time.Now()
	b := w.p.Handler.Output(w.part)
	b.DeadLetter(next)
	return b.Settle(ctx)
}

func entryID(e *dlq.Entry) string {
	if e == nil {
		return ""
	}
	return e.ID
}

// close writes tombstones, and tries for ever.
func (w *replaying) close(ctx context.Context, closes []*dlq.Closure) bool {
	wait := newBackoff()
	for len(closes) > 0 {
		err := w.p.Handler.p.Dead.CloseEntries(ctx, closes...)
		if err == nil {
			break
		}
		w.part.Hold(fmt.Sprintf("dead-letter topic %s cannot be written (%s): is it missing? run 'notifier topics check'", closes[0].Topic, brief(err)))
		if !sleep(ctx, wait.NextBackOff()) {
			return false
		}
	}
	w.part.Hold("")
	return true
}

var (
	errNoEntry     = errors.New("that version of the entry is not there any more")
	errMalformed   = errors.New("the entry is malformed")
	errQuarantined = errors.New("the entry is quarantined and the request has no force")
	errNoValue     = errors.New("the entry's value was too large to be kept; it can only be sent with an edited one")
)

// chunkBytes is how much is read of a dead-letter topic at once: the entries
// of a run stand one behind the other.
const chunkBytes = 1 << 20

// entry reads the entry that a request means, and what it was edited to. It
// tries for ever while the brokers do not answer.
func (w *replaying) entry(ctx context.Context, n *request) (*dlq.Entry, []byte, error) {
	rec := w.fetch(ctx, w.topic(n), 0, n.version)
	if rec == nil || rec.Value == nil {
		return nil, nil, errNoEntry
	}
	e := dlq.Parse(rec)
	switch {
	case e.State == dlq.Malformed, e.Envelope.Delivery != "" && e.Envelope.Delivery != e.ID:
		return e, nil, errMalformed
	case e.State == dlq.Quarantined && !n.force:
		return e, nil, errQuarantined
	case e.Pointer && !n.edited:
		return e, nil, errNoValue
	case w.fold.Key(w.topic(n), e.ID) != n.key:
		return e, nil, errNoEntry
	}
	if !n.edited {
		return e, nil, nil
	}
	ask := w.fetch(ctx, w.part.Topic, w.part.ID, n.offset)
	if ask == nil {
		return e, nil, errNoEntry
	}
	q, err := dlq.ParseRequest(ask)
	return e, q.Edited, err
}

// fetch returns the record at an offset; nil: there is none any more.
func (w *replaying) fetch(ctx context.Context, topic string, partition int32, offset int64) *kgo.Record {
	find := func(records []*kgo.Record) *kgo.Record {
		i := sort.Search(len(records), func(i int) bool { return records[i].Offset >= offset })
		if i < len(records) && records[i].Offset == offset {
			return records[i]
		}
		return nil
	}
	if rec := find(w.chunk[topic]); rec != nil {
		return rec
	}
	wait := newBackoff()
	for ctx.Err() == nil {
		records, _, err := w.p.Log.Read(ctx, topic, partition, offset, chunkBytes)
		if err == nil {
			w.chunk[topic] = records
			w.part.Hold("")
			return find(records)
		}
		w.part.Hold(fmt.Sprintf("topic %s cannot be read (%s)", topic, brief(err)))
		sleep(ctx, wait.NextBackOff())
	}
	return nil
}

// send decides what one entry leads to.
func (w *replaying) send(b *forwarding, n *request, e *dlq.Entry, edited []byte) {
	r := &envelope.Replay{Entry: e.ID, Version: e.Offset, Number: e.Replays + 1, By: n.run.by, Comment: n.run.comment, FirstFailed: e.FirstFailed}
	if edited != nil {
		r.Edited, r.EditedBy = edited, n.run.by
	}
	span := w.p.Handler.p.Tracer.Replay(tracing.Record{Topic: w.part.Topic, Partition: w.part.ID, Offset: n.offset, Group: w.p.Handler.p.Group}, e.Envelope.Trace)
	defer span.End()
	span.Set(slog.String("entry", e.ID), slog.Int("replay", r.Number))
	if t := span.Traceparent(); t != "" { // else the trace it was written in goes on
		env := *e.Envelope
		env.Trace, e.Envelope = t, &env
	}
	s := sending{w: w, b: b, n: n, e: e, replay: r, span: span}
	switch {
	case e.Envelope.Delivery == "":
		s.record()
	case n.rematch || edited != nil || e.Envelope.Alert == nil:
		s.again()
	default:
		s.asRaised()
	}
}

// sending is one entry on its way.
type sending struct {
	w      *replaying
	b      *forwarding
	n      *request
	e      *dlq.Entry
	replay *envelope.Replay
	span   *tracing.Span
}

// asRaised sends a delivery's alert as it was raised.
func (s *sending) asRaised() {
	channel, rule := s.e.Envelope.Channel, s.e.Envelope.Alert.Rule
	if s.n.to {
		channel = s.n.line.channel
	} else if _, there := s.w.p.Rules[rule]; !there {
		s.unrouted("rule %s is not configured any more", rule)
		return
	}
	s.deliver(s.e.Envelope.Alert, channel, s.e.ID)
}

// again sends a delivery's event through its rule, to its channel.
func (s *sending) again() {
	rule, channel := s.e.Rule(), s.e.Envelope.Channel
	to, there := s.w.p.Rules[rule]
	switch {
	case !there:
		s.unrouted("rule %s is not configured any more", rule)
		return
	case s.n.to:
		channel = s.n.line.channel
	case !slices.Contains(to, channel):
		s.unrouted("rule %s does not lead to %s any more", rule, channel)
		return
	}
	alerts, ok := s.match()
	if !ok {
		return
	}
	i := slices.IndexFunc(alerts, func(a alert.Alert) bool {
		return a.Rule == rule && (s.n.to || slices.Contains(a.Channels, channel))
	})
	if i < 0 {
		s.close("rule " + rule + " no longer matches it")
		return
	}
	alerts[i].ID = alert.NewID(s.w.p.Handler.p.Group, s.w.p.Handler.Identity(s.e.Envelope.Source), rule)
	if a := s.e.Envelope.Alert; a != nil {
		alerts[i].ID = a.ID
	}
	s.deliver(&alerts[i], channel, s.e.ID)
}

// record sends a record through all rules that had not seen it. What it raises
// are deliveries of their own; the entry is closed once they are safe.
func (s *sending) record() {
	alerts, ok := s.match()
	if !ok {
		return
	}
	id := s.w.p.Handler.Identity(s.e.Envelope.Source)
	sent := 0
	for i := range alerts {
		a := &alerts[i]
		s.w.p.Handler.Raise(a, id)
		channels := a.Channels
		if s.n.to {
			channels = []string{s.n.line.channel}
		}
		for _, c := range channels {
			if s.w.p.Handler.p.Outboxes.Has(c) {
				s.deliver(a, c, alert.NewDelivery(a.ID, c))
				sent++
			} else if s.n.to {
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

// match asks the rules; false means that the entry has its new version.
func (s *sending) match() ([]alert.Alert, bool) {
	src := s.e.Envelope.Source
	rec := &kgo.Record{
		Topic: src.Topic, Partition: src.Partition, Offset: src.Offset, Timestamp: src.Time,
		Key: src.Key, Value: src.Value, Headers: src.Headers,
	}
	if s.replay.Edited != nil {
		rec.Value = s.replay.Edited
	}
	alerts, err := s.w.p.Handler.Match(rec, s.e.FirstFailed, time.Now())
	switch {
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
	if !s.w.p.Handler.p.Outboxes.Has(channel) {
		s.unrouted("channel %s is not configured any more", channel)
		return
	}
	r := *s.replay
	if channel == s.e.Envelope.Channel {
		r.Recipients = s.e.Recipients
	}
	e := &envelope.Envelope{Source: s.e.Envelope.Source, Alert: a, Channel: channel, Delivery: delivery, Replay: &r, Trace: s.e.Envelope.Trace}
	e.From = offsets.Write{
		Input: offsets.Input{Topic: s.b.topicID, Partition: s.w.part.ID},
		From:  offsets.Position{Epoch: s.n.epoch, Offset: s.n.offset},
		Done:  s.b.done, Delivery: e.RepeatID(),
	}
	s.b.writes = append(s.b.writes, s.b.Send(e))
	s.b.Hold(len(e.Source.Value)) // the request's record is none of the source's
}

func (s *sending) unrouted(format string, args ...any) {
	s.reopen(outcome.Errorf(outcome.Unrouted, format, args...), outcome.NoLongerRouted)
}

// reopen writes the entry's next version: it failed again.
func (s *sending) reopen(why *outcome.Error, reason outcome.Reason) {
	s.span.Fail(string(why.Cause))
	next := s.e.Again(s.replay.EditedBy, s.w.p.Handler.p.MaxReplays)
	next.Cause, next.Reason, next.Scope, next.Detail, next.FailedRule, next.LastFailed = why.Cause, reason, why.Cause.Class().Scope, why.Detail, why.Rule, time.Now()
	s.b.DeadLetter(next)
	s.b.Hold(len(next.Envelope.Source.Value))
}

// close has the entry closed once everything else is acknowledged.
func (s *sending) close(comment string) {
	if s.n.run.comment != "" {
		comment = join(s.n.run.comment, comment)
	}
	s.b.closes = append(s.b.closes, &dlq.Closure{
		Topic: s.e.Topic, Partition: s.e.Partition, Key: s.e.Key,
		Closing: dlq.Closing{State: dlq.Resolved, By: s.n.run.by, Comment: comment, EditedBy: s.replay.EditedBy, At: time.Now()},
	})
}

func join(a, b string) string {
	if b == "" {
		return a
	}
	return a + " (" + b + ")"
}
