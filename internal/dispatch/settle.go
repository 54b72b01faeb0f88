package dispatch

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// rateLimitedFor is how long single recipients may answer "later" before the
// delivery is given up, provided others could be sent.
const rateLimitedFor = time.Hour

// longestDoubt bounds the backoff of a delivery whose last attempt may have
// succeeded: each further one may be a duplicate.
const longestDoubt = 5 * time.Minute

// turn is the first delivery of a lane in the hands of the channel, or of the
// dead letters: what an attempt leads to is decided here. The dispatcher's
// mutex is held, the lane is in flight.
type turn struct {
	o *Dispatcher
	l *lane
	d *delivery
}

// settle is the one place that turns the result of an attempt into what
// happens to the delivery: delivered, again later, or a dead letter.
func (t turn) settle(receipt channel.Receipt, err error) {
	o := t.o
	o.noteFailure(err)
	o.noteBreaker()
	if t.d.tries == 1 && t.d.attempts == 0 {
		t.d.failedAt = o.begun
	}
	if t.l.source.dropped {
		t.settleLate(receipt, err)
		return
	}
	if err == nil {
		t.succeed(receipt)
		return
	}
	e := outcome.Classify(err)
	class := e.Cause.Class()
	if t.d.lacking = receipt.Lacking; t.d.lacking == nil {
		t.d.lacking = t.d.recipients
	}
	switch {
	case e.Cause == outcome.Abandoned:
		o.lanes.enqueue(t.l)
	case class.Scope == outcome.Channel && class.Permanence == outcome.Permanent:
		t.denied(e)
	case class.Scope == outcome.Channel && class.Permanence == outcome.Rate:
		o.rateLimited(t.l.tried, e)
		o.lanes.enqueue(t.l)
	case class.Permanence == outcome.Rate: // one recipient's mailbox
		t.postpone(e)
	case class.Permanence == outcome.Permanent: // this message, or all its recipients
		if class.Scope == outcome.Message && t.shorten() {
			return
		}
		t.d.attempts++
		t.d.refused = append(t.d.refused, receipt.Refused...)
		t.deadLetter(e, class.Reason)
		o.refuse(t.d.rule(), e)
	default:
		t.retry(e, class)
	}
}

// settleLate settles what ended after its partition was given up: a success
// that comes within the wait for it is still committed, and changes nothing
// later. Everything else is the next owner's.
func (t turn) settleLate(r channel.Receipt, err error) {
	d := t.d
	if err != nil || len(r.Refused)+len(r.Deferred)+len(d.refused) > 0 {
		t.end(abandoned)
		return
	}
	t.openThrottles(r.ID, t.o.now())
	for x := range d.all {
		x.receipt = cmp.Or(r.ID, x.receipt)
	}
	if t.close(); d.written() { // it has to be written before the delivery is settled
		t.l.source.inFlight++
		t.o.p.Driver.Go(t.l.work(d, t.writeEnd))
		return
	}
	t.tellDelivered(r, t.o.now())
	t.commit()
	t.end(delivered)
}

// succeed: the provider took it, for at least one recipient.
func (t turn) succeed(r channel.Receipt) {
	o, d, now := t.o, t.d, t.o.now()
	o.proof, o.succeeded = max(o.proof, t.l.attempt), now
	o.denials = 0
	for rule := range d.rules {
		if resumed := o.lanes.rules.succeeded(rule); resumed != nil {
			o.lanes.resume(resumed)
		}
	}
	if o.gate.open(now) {
		o.log.Info("channel recovered")
		o.lanes.hurry()
	}
	o.pace.speedUp()
	t.openThrottles(r.ID, now)
	t.tellGroups(r, now)
	d.sent, d.receipt = now, cmp.Or(r.ID, d.receipt)
	d.refused = append(d.refused, r.Refused...)
	d.delivered = append(d.delivered, r.Accepted...)
	if len(r.Deferred) > 0 {
		d.recipients = recipientsOf(r.Deferred)
		d.lacking = d.recipients
		t.postpone(outcome.Classify(r.Deferred[0].Err))
		return
	}
	if len(d.refused) > 0 {
		t.deadLetter(outcome.Classify(d.refused[0].Err), outcome.BadRecipient)
		return
	}
	t.tellDelivered(r, now)
	if t.close(); d.written() {
		t.l.source.ending++
		o.lanes.ready(t.l)
		return
	}
	t.done(delivered)
}

// tellDelivered counts and logs what was delivered.
func (t turn) tellDelivered(r channel.Receipt, now time.Time) {
	d, a := t.d, t.d.envelope.Alert
	if len(d.members) > 0 {
		t.tellDigested(r, now)
		return
	}
	t.o.metrics.delivered(now.Sub(a.EventTime))
	t.o.tell(slog.LevelDebug, "delivered", d, "attempts", d.tries, "receipt", r.ID, "duration", now.Sub(d.received), "age", now.Sub(a.EventTime).Round(time.Millisecond))
}

// done settles the delivery and continues with its lane.
func (t turn) done(how string) {
	o, d := t.o, t.d
	t.end(how)
	if d.written() {
		t.l.source.ending--
	}
	t.commit()
	o.lanes.advance(t.l)
}

// commit makes the offsets of the delivery and its members committable, once the state
// topic has what they changed.
func (t turn) commit() {
	if !t.park() {
		t.free()
	}
}

// free makes the offsets of the delivery and its members committable.
func (t turn) free() {
	for d := range t.d.all {
		if d.entry != nil {
			t.l.source.settle(d.entry)
		}
	}
}

// retry has the delivery tried again: its failure is transient or ambiguous. It
// counts as an attempt; attempts used up are a dead letter only if another
// delivery succeeded meanwhile.
func (t turn) retry(e *outcome.Error, class outcome.Class) {
	o, d, w := t.o, t.d, backoffEnd
	if class.Permanence == outcome.Ambiguous {
		if t.doubt(e) {
			return
		}
		w = doubtEnd
	}
	if d.attempts < o.p.Config.Retry.Attempts {
		d.attempts++
	}
	if d.attempts >= o.p.Config.Retry.Attempts && o.proof > d.failedAt {
		o.lanes.dissolve(t.l) // its members are tried by themselves
		t.deadLetter(e, outcome.Exhausted)
		return
	}
	o.tell(slog.LevelInfo, "attempt failed, will be tried again", d, "attempt", d.tries, "cause", e.Cause, "detail", e.Detail)
	t.backOff(e.RetryAfter, w)
}

// doubt notes that the attempt may have succeeded, and reports whether the
// delivery is a dead letter for that.
func (t turn) doubt(e *outcome.Error) bool {
	t.d.mayBeDuplicate = true
	if t.o.p.Config.Ambiguous != DeadLetter {
		return false
	}
	t.d.attempts++
	t.deadLetter(e, outcome.Unconfirmed)
	return true
}

// postpone has the delivery wait: the recipients that are left asked for that. No
// attempt is counted. If others have it, it waits in a lane of its own.
func (t turn) postpone(e *outcome.Error) {
	d := t.d
	if t.o.now().Sub(d.firstTried) > rateLimitedFor && (t.o.proof > d.failedAt || !d.sent.IsZero()) {
		t.deadLetter(e, outcome.Exhausted)
		return
	}
	wait := e.RetryAfter
	if wait <= 0 {
		wait = 5 * time.Minute
	}
	until := t.o.now().Add(wait)
	t.o.noteDeferred(t.l.source, d, e, until)
	l := t.l
	if !d.sent.IsZero() {
		if l = t.o.lanes.setApart(t.l); l.queue[0] != d {
			return // behind an earlier one
		}
	}
	t.o.lanes.backoffs.wait(l, until, toldEnd)
}

// backOff has the lane wait: a random time that grows, or as long as the provider
// asked for, whichever is longer. After an attempt that may have succeeded it
// grows to minutes, and is at least half of its bound.
func (t turn) backOff(asked time.Duration, w wait) {
	l, o := t.l, t.o
	if l.backoff == nil {
		l.backoff = newBackoff(o.p.Config.Retry)
	}
	l.backoff.MaxInterval = o.p.Config.Retry.Max
	if w == doubtEnd {
		l.backoff.MaxInterval = max(l.backoff.MaxInterval, longestDoubt)
	}
	most := l.backoff.NextBackOff()
	least := time.Duration(0)
	if w == doubtEnd {
		least = most / 2
	}
	d := least + jitter(most-least, o.p.Driver.Draw)
	if asked > d {
		d, w = asked, toldEnd
	}
	o.lanes.backoffs.wait(l, o.now().Add(d), w)
}

func recipientsOf(rs []channel.Refusal) []string {
	if len(rs) == 0 {
		return nil
	}
	names := make([]string, len(rs))
	for i, r := range rs {
		names[i] = r.Recipient
	}
	return names
}
