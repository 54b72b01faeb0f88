package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outcome"
)

// Elsewhere puts deliveries into other channels' outboxes.
type Elsewhere interface {
	// Has reports whether there is such a channel.
	Has(channel string) bool
	// Put returns, once that is known, for each of them whether it is acknowledged,
	// in order. While a topic does not answer for long it calls slow.
	Put(ctx context.Context, list []*envelope.Envelope, slow func(topic string)) []error
}

// Move sends what waits to another channel, as far as the request means it.
// What two requests mean goes where the first says, so that whoever owns the
// partition next sends it to the same place, where it is known as a repeat. It
// is in force until MoveEnded.
func (o *Outbox) Move(q control.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	known := slices.ContainsFunc(o.moves, func(old control.Request) bool { return reflect.DeepEqual(old, q) })
	if known || o.elsewhere == nil {
		return
	}
	if !o.elsewhere.Has(q.To) {
		o.log.Error("cannot move alerts to a channel that is not configured", "to", q.To, "by", q.By)
		return
	}
	o.moves = append(o.moves, q)
	o.log.Info("moving what waits to another channel", "to", q.To, "by", q.By)
	o.pump()
}

// MoveEnded forgets a request of which nothing waits any more.
func (o *Outbox) MoveEnded(q control.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.moves)
	o.moves = slices.DeleteFunc(o.moves, func(old control.Request) bool { return reflect.DeepEqual(old, q) })
	if len(o.moves) < n {
		o.log.Info("move ended: nothing of it waits any more", "to", q.To, "by", q.By)
		o.pump()
	}
}

// Moving is a move that is in force.
type Moving struct {
	To string // the channel
	By string // who asked; empty: the request does not say
}

// inForce returns the moves that are in force, those alike once. o.mu is held.
func (o *Outbox) inForce() []Moving {
	var list []Moving
	for _, q := range o.moves {
		if m := (Moving{q.To, q.By}); !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}

// moveTo returns the channel that a delivery goes to instead; empty: it stays.
// A delivery that was decided about already only waits for that to be written.
func (o *Outbox) moveTo(s *source, d *delivery) string {
	if len(o.moves) == 0 || d.written() {
		return ""
	}
	for i := range o.moves {
		if o.moves[i].Covers(s.input.Topic, s.input.Partition, d.at.Offset) {
			return o.moves[i].To
		}
	}
	return ""
}

// moving is one delivery on its way to another channel's outbox.
type moving struct {
	lane     *lane
	delivery *delivery
	to       string
	err      error
}

// startMoves starts moving what is to be moved and is not under way: of each
// partition one batch at a time, the oldest first, of no more than may be
// settled and uncommitted. Gate, pace and breaker do not concern it.
func (o *Outbox) startMoves(now time.Time) (again time.Time) {
	if len(o.moves) == 0 {
		return time.Time{}
	}
	for _, s := range o.sources {
		room := o.uncommitted - s.uncommitted()
		if s.moving > 0 || room <= 0 {
			continue
		}
		if s.moveAgain.After(now) {
			if again.IsZero() || s.moveAgain.Before(again) {
				again = s.moveAgain
			}
			continue
		}
		if batch := o.movable(s, room); len(batch) > 0 {
			s.moving = len(batch)
			s.inFlight++
			o.driver.Go(Work{Delivery: batch[0].delivery.envelope.RepeatID(), Topic: s.input.Topic, Partition: s.input.Partition, Offset: batch[0].delivery.at.Offset, Do: func() { o.move(s, batch) }})
		}
	}
	return again
}

// movable takes the next deliveries, at most so many, out of their lanes' turn.
func (o *Outbox) movable(s *source, most int) []*moving {
	var all []*moving
	for _, l := range o.lanes {
		if l.source != s || l.state == flying || !s.holds(l) {
			continue
		}
		for i, d := range l.queue {
			to := o.moveTo(s, d)
			if to == "" || i == most {
				break
			}
			all = append(all, &moving{lane: l, delivery: d, to: to})
		}
	}
	slices.SortFunc(all, func(a, b *moving) int { return int(a.delivery.at.Offset - b.delivery.at.Offset) })
	all = all[:min(len(all), most)]
	for _, m := range all {
		if m.lane.state != flying {
			o.unlist(m.lane)
			m.lane.state = flying
		}
	}
	return all
}

// move puts a batch into the other channels' outboxes and settles what is
// acknowledged there. The rest is tried again, in the same place.
func (o *Outbox) move(s *source, batch []*moving) {
	list := make([]*envelope.Envelope, len(batch))
	for i, m := range batch {
		if o.tracer != nil {
			o.begin(m.lane, m.delivery, nil)
		}
		list[i] = m.envelope(s)
	}
	errs := o.elsewhere.Put(o.ctx, list, func(topic string) {
		s.holdFor(fmt.Sprintf("outbox topic %s does not acknowledge: is it missing? run 'notifier topics check'", topic))
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	s.moving = 0
	var failed error
	for i, m := range batch {
		m.err = errs[i]
		if m.err != nil && !dlq.TooLarge(m.err) && failed == nil {
			failed = fmt.Errorf("outbox topic of %s cannot be written (%w)", m.to, m.err)
		}
	}
	switch {
	case failed == nil:
		s.moveFails = 0
		s.holdFor("")
	case o.ctx.Err() == nil:
		s.moveFails++
		s.moveAgain = time.Now().Add(min(250*time.Millisecond<<min(s.moveFails, 5), 5*time.Second))
		s.holdFor(failed.Error())
	}
	o.moved(s, batch)
	s.release()
	o.pump()
}

// moved settles what was moved, in each lane up to the first that was not, and
// has the lanes go on.
func (o *Outbox) moved(s *source, batch []*moving) {
	var lanes []*lane
	failed := make(map[*lane]*moving)
	for _, m := range batch {
		if !slices.Contains(lanes, m.lane) {
			lanes = append(lanes, m.lane)
		}
		if m.err != nil && failed[m.lane] == nil {
			failed[m.lane] = m
		}
		if failed[m.lane] == nil {
			o.movedOne(s, m)
		}
	}
	if s.dropped {
		for _, m := range batch {
			m.delivery.end(abandoned) // unless it was moved, and has ended
		}
		return
	}
	for _, l := range lanes {
		if len(l.queue) == 0 {
			o.drop(l)
			continue
		}
		if m := failed[l]; m != nil && dlq.TooLarge(m.err) {
			m.delivery.firstTried = time.Now()
			o.bury(l, m.delivery, outcome.Errorf(outcome.AlertTooLarge, "the alert does not fit into the outbox of %s: raise its max.message.bytes", m.to), "")
			continue
		}
		o.enqueue(l)
	}
}

func (o *Outbox) movedOne(s *source, m *moving) {
	if m.delivery.entry != nil && !s.partition.Settle(m.delivery.entry) {
		return // the partition is somebody else's by now
	}
	o.metrics.outcome(rerouted)
	m.delivery.end(rerouted)
	o.tell(slog.LevelDebug, "moved to another channel", m.delivery, "to", m.to)
	if s.dropped {
		return // its lanes are gone
	}
	l := m.lane
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.backoff, l.tried = nil, time.Time{}
	o.pending--
}

// envelope is the delivery as it stands in the other channel's outbox. It says
// where it stood here, so that it is known there should it be written twice. A
// dead letter that is sent again stays the same entry's.
func (m *moving) envelope(s *source) *envelope.Envelope {
	e := *m.delivery.envelope
	e.Channel = m.to
	if !e.Resolves() {
		e.Delivery = alert.NewDelivery(e.Alert.ID, m.to)
	}
	if e.Replay != nil { // whom of a mail's recipients it was for means nothing elsewhere
		r := *e.Replay
		r.Recipients = nil
		e.Replay = &r
	}
	e.From = offsets.Write{Input: s.input, From: m.delivery.at, Done: s.done(), Delivery: e.RepeatID()}
	return &e
}

// done is the position below which everything is settled and committed.
func (s *source) done() offsets.Position {
	if s.partition == nil {
		return offsets.Position{Epoch: -1}
	}
	return s.partition.Committed()
}
