package dispatch

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/topics"
)

// deadLetter dead-letters the delivery; it is settled when that is acknowledged.
func (t turn) deadLetter(e *outcome.Error, reason outcome.Reason) {
	d := t.d
	if d.envelope.Notice() {
		t.dropNotice(e)
		return
	}
	f := dlq.Failure{
		Cause: e.Cause, Reason: reason, Detail: e.Detail, Attempts: d.attempts, First: d.firstTried,
		Recipients: d.without(reason), Delivered: d.delivered,
	}
	for x := range d.all {
		x.dead = dlq.Failed(x.envelope.Delivery, x.envelope, f, t.o.p.MaxReplays)
	}
	t.noteGivenUp(t.o.now())
	t.l.source.ending++
	t.o.lanes.ready(t.l)
}

// without returns the recipients that a dead letter is about: those that refused the
// message, and where it is given up those that had not taken it.
func (d *delivery) without(reason outcome.Reason) []string {
	names := recipientsOf(d.refused)
	if reason == outcome.Exhausted || reason == outcome.Unconfirmed {
		for _, r := range d.lacking {
			if !slices.Contains(names, r) {
				names = append(names, r)
			}
		}
	}
	return names
}

// startWrites starts writing the dead letters that are due, and the tombstones
// of those that were delivered. They bypass gate, rate limit and breaker: they do
// not concern the channel. While commits fail a dead letter waits: unlike an alert it
// is worth less than the mark by which the next owner closes it.
func (o *Dispatcher) startWrites() {
	unclaimed := o.lanes.decided[:0]
	for _, l := range o.lanes.decided {
		if l.source.dropped {
			continue
		}
		t := turn{o, l, l.queue[0]}
		claimed := l.source.claim(t.d)
		if claimed {
			l.source.note(t.d, true)
			claimed = t.d.dead == nil || l.source.recorded(t.d)
		}
		if !claimed {
			unclaimed = append(unclaimed, l)
			continue
		}
		l.source.inFlight++
		o.p.Driver.Go(l.work(t.d, t.writeEnd))
	}
	o.lanes.decided = unclaimed
}

// writeEnd writes how a delivery ended to its dead-letter topic. It takes the
// dispatcher's mutex.
func (t turn) writeEnd() {
	o, d, s := t.o, t.d, t.l.source
	var err error
	if d.dead != nil {
		var dead []*dlq.Entry
		for x := range d.all {
			dead = append(dead, x.dead)
		}
		err = o.p.Dead.Write(o.ctx, dead...)
	} else {
		err = o.p.Dead.CloseEntries(o.ctx, d.closures()...)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	defer s.release() // after it is settled, as in attempt
	switch {
	case s.dropped && err == nil:
		if d.dead != nil {
			for range d.all {
				o.metrics.deadLettered()
			}
		}
		t.end(d.decided())
		t.commit()
	case s.dropped:
		t.end(abandoned)
	case err != nil && o.ctx.Err() != nil:
	case err != nil:
		s.holdFor(fmt.Sprintf("a dead letter cannot be written (%v): is its topic missing? run 'notifier topics check'", errors.Unwrap(err)))
		t.backOff(0, backoffEnd)
	default:
		s.holdFor("")
		s.rewrote(d)
		t.tellEnd()
		t.done(d.decided())
	}
	o.pump()
}

// tellEnd counts and logs an end that was written.
func (t turn) tellEnd() {
	o, d := t.o, t.d
	if d.dead != nil {
		for d := range d.all {
			o.metrics.deadLettered()
			o.tell(slog.LevelWarn, "dead letter", d, "reason", d.dead.Reason, "cause", d.dead.Cause, "detail", d.dead.Detail,
				"attempts", d.dead.Attempts, "recipients", strings.Join(d.dead.Recipients, ","), "duration", o.now().Sub(d.received))
		}
	} else if d.envelope.Resolves() {
		o.tell(slog.LevelInfo, "dead letter resolved", d, "replay", d.envelope.Replay.Number, "by", d.envelope.Replay.By)
	}
}

// deadLetterTopic is the topic of the delivery's dead letter, if it has one.
func (o *Dispatcher) deadLetterTopic(e *envelope.Envelope) string {
	return topics.DeadLetter(o.p.Group, topics.Name(e.Source.Topic))
}

// close sets how the dead letters of the delivery and its members are closed.
func (t turn) close() {
	for d := range t.d.all {
		d.closing = turn{t.o, t.l, d}.closing()
	}
}

// closures returns what close has set.
func (d *delivery) closures() []*dlq.Closure {
	var all []*dlq.Closure
	for x := range d.all {
		if x.closing != nil {
			all = append(all, x.closing)
		}
	}
	return all
}

// closing returns how the delivery's dead letter is closed now that it was
// delivered; nil: it has none. A former owner may have written one and died
// before it could commit.
func (t turn) closing() *dlq.Closure {
	o, d := t.o, t.d
	e := d.envelope
	if e.Notice() {
		return nil
	}
	if !e.Resolves() && !d.inherited {
		return nil
	}
	c := &dlq.Closure{
		Topic: o.deadLetterTopic(e), Key: []byte(e.Delivery),
		Closing: dlq.Closing{State: dlq.Resolved, At: o.now()},
	}
	if !e.Resolves() {
		c.Comment = "delivered to " + o.p.Name + " after all"
		return c
	}
	c.By, c.Comment, c.EditedBy = e.Replay.By, "delivered to "+o.p.Name, e.Replay.EditedBy
	if e.Replay.Comment != "" {
		c.Comment = e.Replay.Comment + " (" + c.Comment + ")"
	}
	return c
}

// rewrote notes that the dead letters that a former owner may have written of
// this delivery and its members have later records now.
func (s *source) rewrote(d *delivery) {
	for d := range d.all {
		if !d.inherited || d.envelope.Replay != nil {
			continue
		}
		if s.rewritten == nil {
			s.rewritten = make(map[string]int64)
		}
		if d.dead != nil {
			s.rewritten[d.envelope.Delivery] = d.dead.Offset
		} else {
			s.rewritten[d.envelope.Delivery] = d.closing.Offset
		}
	}
}

// superseded drops a replay whose entry has a later record: a request for that
// one is served.
func (t turn) superseded() bool {
	e := t.d.envelope
	version, rewritten := t.l.source.rewritten[e.Delivery]
	if !rewritten || !e.Resolves() || !replay.Superseded(e.Replay.Version, version) {
		return false
	}
	t.o.metrics.duplicate()
	t.done(superseded)
	return true
}
