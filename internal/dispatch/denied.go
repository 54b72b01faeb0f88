package dispatch

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/algotrade/notifier/internal/outcome"
)

const (
	// deniedAlone is how often the channel is refused for one delivery, with others
	// accepted between, before that is taken for the delivery's own fault.
	deniedAlone = 3
	// withoutWitness is how long such a delivery waits for another that is accepted
	// or refused, where none is there to be tried.
	withoutWitness = 5 * time.Second
	// oneWitness is for how long after such a success the channel is not suspended for
	// that delivery alone.
	oneWitness = 5 * time.Minute
)

// denied settles an attempt for which the provider refused the channel: its
// credentials, its destination. Where that may concern the message alone, the
// first such message does not suspend the channel, the second does, or the same one
// again where no other could be tried; and one refused again and again while others
// are accepted is a dead letter.
func (t turn) denied(e *outcome.Error) {
	o, d := t.o, t.d
	first := d.denials == 0
	if e.MaybeMessage {
		witness := !first && o.proof > d.deniedAt
		if first || witness {
			d.denials++
			d.deniedSince = o.now()
		}
		if first {
			o.denials++
		}
		d.deniedAt = o.begun
		switch {
		case d.denials >= deniedAlone:
			d.attempts += d.denials
			e = &outcome.Error{Cause: outcome.PayloadRefused, Detail: fmt.Sprintf("%s; refused %d times while other messages were accepted", e.Detail, d.denials)}
			t.deadLetter(e, outcome.Refused)
			o.refuse(d.rule(), e)
			return
		case !o.gate.suspended() && (d.acquitsChannel(o.now()) || first && o.denials == 1):
			o.tell(slog.LevelInfo, "attempt failed, will be tried again", d, "attempt", d.tries, "cause", e.Cause, "detail", e.Detail)
			t.backOff(e.RetryAfter, backoffEnd)
			return
		}
	}
	o.suspend(e)
	o.gate.single = e.MaybeMessage && o.denials <= 1
	t.l.tried = o.now() // after the suspension began: it is not probed with first
	if !e.MaybeDelivered {
		o.lanes.enqueue(t.l)
		return
	}
	if !t.doubt(e) {
		t.backOff(0, doubtEnd)
	}
}

// acquitsChannel reports whether another delivery was accepted between refusals of
// the channel for this one, not long ago.
func (d *delivery) acquitsChannel(now time.Time) bool {
	return d.denials > 1 && now.Sub(d.deniedSince) < oneWitness
}

// awaitsWitness reports whether a lane whose backoff has ended is to wait on, since
// the channel was refused for its first delivery: others are tried before, so that
// they tell whose fault it is.
func (o *Dispatcher) awaitsWitness(l *lane, now time.Time) bool {
	d := l.queue[0]
	if d.denials == 0 || d.written() || o.gate.suspended() || o.proof > d.deniedAt {
		return false
	}
	return now.Sub(d.deniedSince) < withoutWitness || o.busy > 0 || o.lanes.pick() != nil
}

// crossCheck returns a delivery to try at once in a channel that is suspended for a
// single message: whether it is accepted tells whose fault the suspension is. nil:
// there is none.
func (o *Dispatcher) crossCheck(now time.Time) *lane {
	if !o.gate.suspended() || !o.gate.single || o.busy > 0 || o.gate.until.After(now) {
		return nil
	}
	if l := o.lanes.pickProbe(o.gate.since); l != nil && l.queue[0].denials == 0 {
		return l
	}
	return nil
}

// suspend closes the gate until an operator has fixed the channel.
func (o *Dispatcher) suspend(e *outcome.Error) {
	if o.gate.suspend(o.now(), e.Error()) {
		o.log.Error("channel suspended: an operator must act; deliveries wait, one is tried after 5 s, then less often, at last once a minute",
			"cause", e.Cause, "detail", e.Detail, "remedy", e.Remedy())
	}
}
