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

// Outboxes puts deliveries into other channels' outboxes.
type Outboxes interface {
	// Has reports whether there is such a channel.
	Has(channel string) bool
	// Put returns, once that is known, for each of them whether it is acknowledged,
	// in order. While a topic does not answer for long it calls slow.
	Put(ctx context.Context, list []*envelope.Envelope, slow func(topic string)) []error
}

// moves are the requests to send deliveries to another channel, in the order in
// which they were made. What two requests mean goes where the first says, so
// that the next owner of the partition sends it to the same place, where it is
// known as a duplicate.
type moves []control.Request

// to returns the channel that a delivery goes to instead; empty: it stays. A
// delivery whose end is decided only waits for that to be written.
func (m moves) to(s *source, d *delivery) string {
	if len(m) == 0 || d.written() {
		return ""
	}
	for i := range m {
		if m[i].Covers(s.input.Topic, s.input.Partition, d.at.Offset) {
			return m[i].To
		}
	}
	return ""
}

// concern reports whether a delivery or one of its members goes to another channel.
func (m moves) concern(s *source, d *delivery) bool {
	for x := range d.all {
		if m.to(s, x) != "" {
			return true
		}
	}
	return false
}

func (m moves) has(q control.Request) bool {
	return slices.ContainsFunc(m, func(old control.Request) bool { return reflect.DeepEqual(old, q) })
}

// Moving is a move that is in force.
type Moving struct {
	To string // the channel
	By string // who asked; empty: the request does not say
}

// inForce returns the moves that are in force, those alike once.
func (m moves) inForce() []Moving {
	var list []Moving
	for _, q := range m {
		if one := (Moving{q.To, q.By}); !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}

// Move sends pending deliveries to another channel, as far as the request means it. It
// is in force until MoveEnded.
func (o *Dispatcher) Move(q control.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.p.Outboxes == nil || o.lanes.moves.has(q) {
		return
	}
	if !o.p.Outboxes.Has(q.To) {
		o.log.Error("cannot move alerts to a channel that is not configured", "to", q.To, "by", q.By)
		return
	}
	o.lanes.moves = append(o.lanes.moves, q)
	o.log.Info("moving pending alerts to another channel", "to", q.To, "by", q.By)
	o.pump()
}

// MoveEnded forgets a request of which nothing waits any longer.
func (o *Dispatcher) MoveEnded(q control.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.lanes.moves.has(q) {
		return
	}
	o.lanes.moves = slices.DeleteFunc(o.lanes.moves, func(old control.Request) bool { return reflect.DeepEqual(old, q) })
	o.log.Info("move ended, no alert of it is pending", "to", q.To, "by", q.By)
	o.pump()
}

// transfer is a batch of deliveries of one partition on its way to other
// channels' outboxes.
type transfer struct {
	o     *Dispatcher
	s     *source
	batch []*moving
}

// moving is one delivery of a transfer.
type moving struct {
	turn
	to    string
	why   *envelope.Instead // of a fallback; nil: a person asked for it
	since time.Time         // of a resolved alert: when the episode began that this channel was told of; zero: of none
	was   waited            // of its lane
	err   error
}

// startMoves starts moving what is to be moved and is not in flight: of each
// partition one batch at a time, the oldest first, of no more than may be
// settled and uncommitted. Gate, rate limit and breaker do not concern it.
func (o *Dispatcher) startMoves(now time.Time) (again time.Time) {
	if len(o.lanes.moves) == 0 {
		return time.Time{}
	}
	for _, s := range o.lanes.sources {
		room := o.p.Uncommitted - s.uncommitted()
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
			transfer{o, s, batch}.begin()
		}
	}
	return again
}

// movable takes the next deliveries, at most so many, out of their lanes' turn.
func (o *Dispatcher) movable(s *source, most int) []*moving {
	var all []*moving
	for _, l := range o.lanes.byKey {
		if l.source != s || l.state == flying || !s.holds(l) {
			continue
		}
		if o.lanes.moves.concern(s, l.queue[0]) {
			o.lanes.dissolve(l)
		}
		for i, d := range l.queue {
			to := o.lanes.moves.to(s, d)
			if to == "" || i == most || len(d.members) > 0 { // a digest is dissolved when it is the first
				break
			}
			x := turn{o, l, d}
			all = append(all, &moving{turn: x, to: to, since: x.ending()})
		}
	}
	slices.SortFunc(all, func(a, b *moving) int { return int(a.d.at.Offset - b.d.at.Offset) })
	all = all[:min(len(all), most)]
	for _, m := range all {
		if m.l.state != flying {
			o.lanes.unlist(m.l)
			m.l.state = flying
		}
	}
	return all
}

// run puts the batch into the other channels' outboxes and settles what is
// acknowledged there. The rest is tried again, in the same place.
func (t transfer) run() {
	o, s := t.o, t.s
	list := make([]*envelope.Envelope, len(t.batch))
	for i, m := range t.batch {
		if o.p.Tracer != nil {
			o.begin(m.l, m.d, nil)
		}
		list[i] = m.envelope()
	}
	errs := o.p.Outboxes.Put(o.ctx, list, func(topic string) {
		t.holdFor(fmt.Sprintf("outbox topic %s does not acknowledge: is it missing? run 'notifier topics check'", topic))
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	s.moving = 0
	var failed error
	for i, m := range t.batch {
		m.err = errs[i]
		if m.err != nil && !dlq.TooLarge(m.err) && failed == nil {
			failed = fmt.Errorf("outbox topic of %s cannot be written (%w)", m.to, m.err)
		}
	}
	switch {
	case failed == nil:
		s.moveFails = 0
		t.holdFor("")
	case o.ctx.Err() == nil:
		s.moveFails++
		s.moveAgain = o.now().Add(min(250*time.Millisecond<<min(s.moveFails, 5), 5*time.Second))
		t.holdFor(failed.Error())
	}
	t.settle()
	o.fallback.next = time.Time{}
	s.release()
	o.pump()
}

// settle settles what was moved, in each lane up to the first that was not, and
// continues with the lanes.
func (t transfer) settle() {
	var lanes []*lane
	failed := make(map[*lane]*moving)
	for _, m := range t.batch {
		if !slices.Contains(lanes, m.l) {
			lanes = append(lanes, m.l)
		}
		if m.err != nil && failed[m.l] == nil {
			failed[m.l] = m
		}
		if failed[m.l] == nil {
			m.settleMoved()
		}
	}
	if t.s.dropped {
		for _, m := range t.batch {
			m.d.end(abandoned) // unless it was moved, and has ended
		}
		return
	}
	for _, l := range lanes {
		if len(l.queue) == 0 {
			t.o.lanes.drop(l)
			continue
		}
		if t.resumed(l, failed[l]) {
			continue
		}
		if m := failed[l]; m != nil && dlq.TooLarge(m.err) {
			m.d.firstTried = t.o.now()
			m.deadLetter(outcome.Errorf(outcome.AlertTooLarge, "the alert does not fit into the outbox of %s: raise its max.message.bytes", m.to), "")
			continue
		}
		t.o.lanes.enqueue(l)
	}
}

// moved ends the delivery in this channel.
func (m *moving) moved() {
	m.d.end(rerouted)
	if r := m.record(rerouted); r != nil {
		r.To = m.to
		if m.why != nil {
			r.Detail = "the channel is " + m.why.Cause
		}
		m.o.p.Deliveries.Write(r)
	}
}

func (m *moving) settleMoved() {
	o, s := m.o, m.l.source
	if s.dropped && m.d.entry != nil && !s.partition.Settle(m.d.entry) {
		return // the partition has another owner by now
	}
	o.metrics.outcome(rerouted)
	m.moved()
	o.tell(slog.LevelDebug, "moved to another channel", m.d, "to", m.to)
	if now := o.now(); !m.since.IsZero() {
		m.noteTold("", now)
	} else {
		m.noteInDoubt(now)
	}
	if s.dropped {
		return // its lanes are gone
	}
	m.commit()
	m.l.remove(m.d)
	o.lanes.pending--
}

// envelope is the delivery as it is written to the other channel's outbox. It
// says where it was here, so that it is known there should it be written twice.
// A replay stays the same entry's.
func (m *moving) envelope() *envelope.Envelope {
	s, e := m.l.source, *m.d.envelope
	e.Channel = m.to
	if m.why != nil {
		e.Instead = m.why
	}
	if !m.since.IsZero() {
		a := *e.Alert
		a.Since, e.Alert = m.since, &a
	}
	if !e.Resolves() {
		e.Delivery = alert.NewDelivery(e.Alert.ID, m.to)
	}
	if e.Replay != nil { // who has it of a mail's recipients means nothing elsewhere
		r := *e.Replay
		r.Delivered = nil
		e.Replay = &r
	}
	e.From = offsets.Origin{Input: s.input, From: m.d.at, Done: s.done(), Delivery: e.DedupID()}
	return &e
}

// done is the position below which everything is settled and committed.
func (s *source) done() offsets.Position {
	if s.partition == nil {
		return offsets.Position{Epoch: -1}
	}
	return s.partition.Committed()
}
