package dispatch

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/sony/gobreaker/v2"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// rateLimitedFor is how long single recipients may answer "later" before the
// delivery is given up, provided others could be sent.
const rateLimitedFor = time.Hour

// settle is the one place that turns the result of an attempt into what
// happens to the delivery: delivered, again later, or a dead letter. o.mu is
// held, the lane is in flight.
func (o *Outbox) settle(l *lane, d *delivery, receipt channel.Receipt, err error) {
	o.noteBreaker()
	if l.source.dropped {
		o.settleLate(l, d, receipt, err)
		return
	}
	if err == nil {
		o.succeeded(l, d, receipt)
		return
	}
	e := outcome.Classify(err)
	class := e.Cause.Class()
	if class.Scope == outcome.Channel && e.Cause != outcome.Abandoned {
		o.lastError = e.Error()
	}
	switch {
	case e.Cause == outcome.Abandoned:
		o.enqueue(l)
	case class.Scope == outcome.Channel && class.Permanence == outcome.Permanent:
		o.latch(e)
		o.hold(l)
	case class.Scope == outcome.Channel && class.Permanence == outcome.Rate:
		o.gate.rateLimited(time.Now(), e.RetryAfter)
		o.slowDown()
		o.hold(l)
	case class.Permanence == outcome.Rate: // one recipient's mailbox
		o.later(l, d, e)
	case class.Permanence == outcome.Permanent: // this message, or all its recipients
		d.attempts++
		o.bury(l, d, e, class.Reason)
		o.refuse(d.rule(), e)
	default:
		o.failed(l, d, e, class)
	}
}

// settleLate settles what ended after its partition was given up: a success
// that comes within the wait for it is still committed, and changes nothing
// later. Everything else is the next owner's.
func (o *Outbox) settleLate(l *lane, d *delivery, r channel.Receipt, err error) {
	if err != nil || len(r.Refused)+len(r.Deferred)+len(d.refused) > 0 {
		d.end(abandoned)
		return
	}
	if closing := o.closing(d); closing != nil { // it has to be written before the delivery is settled
		d.closing = closing
		l.source.inFlight++
		o.driver.Go(l.work(d, func() { o.writeEnd(l, d) }))
		return
	}
	o.metrics.delivered(time.Since(d.envelope.Alert.EventTime))
	if d.entry != nil {
		l.source.partition.Settle(d.entry)
	}
	d.end(delivered)
}

// succeeded: the provider took it, for at least one recipient.
func (o *Outbox) succeeded(l *lane, d *delivery, r channel.Receipt) {
	now := time.Now()
	o.successes++
	o.taken(d.rule())
	if o.gate.open() {
		o.log.Info("channel works again")
	}
	o.speedUp()
	d.refused = append(d.refused, r.Refused...)
	if len(r.Deferred) > 0 {
		d.recipients = recipientsOf(r.Deferred)
		o.later(l, d, outcome.Classify(r.Deferred[0].Err))
		return
	}
	d.sent = now
	if len(d.refused) > 0 {
		o.bury(l, d, outcome.Classify(d.refused[0].Err), outcome.BadRecipient)
		return
	}
	a := d.envelope.Alert
	o.metrics.delivered(now.Sub(a.EventTime))
	o.tell(slog.LevelDebug, "delivered", d, "attempts", d.tries, "receipt", r.ID, "duration", now.Sub(d.received), "age", now.Sub(a.EventTime).Round(time.Millisecond))
	if d.closing = o.closing(d); d.closing != nil {
		l.source.ending++
		o.ready(l)
		return
	}
	o.done(l, d, delivered)
}

// letters is the topic that the delivery's dead letter stands in, if it has
// one.
func (o *Outbox) letters(e *envelope.Envelope) string {
	return topics.DeadLetter(o.group, topics.Name(e.Source.Topic))
}

// closing returns how the delivery's dead letter is closed now that it was
// delivered; nil: it has none. A former owner may have written one and died
// before it could commit.
func (o *Outbox) closing(d *delivery) *dlq.Closure {
	e := d.envelope
	c := &dlq.Closure{
		Topic: o.letters(e), Key: []byte(e.Delivery),
		Closing: dlq.Closing{State: dlq.Resolved, At: time.Now()},
	}
	switch {
	case e.Resolves():
		c.By, c.Comment, c.EditedBy = e.Replay.By, "delivered to "+o.name, e.Replay.EditedBy
		if e.Replay.Comment != "" {
			c.Comment = e.Replay.Comment + " (" + c.Comment + ")"
		}
	case d.inherited:
		c.Comment = "delivered to " + o.name + " after all"
	default:
		return nil
	}
	return c
}

// rewrote notes that the dead letter that a former owner may have written of
// this delivery has a later record now.
func (s *source) rewrote(d *delivery) {
	if !d.inherited || d.envelope.Replay != nil {
		return
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

// obsolete drops a replay whose entry has a later record: who asks for that
// one gets it.
func (o *Outbox) obsolete(l *lane, d *delivery) bool {
	version, rewritten := l.source.rewritten[d.envelope.Delivery]
	if !rewritten || !d.envelope.Resolves() || d.envelope.Replay.Version >= version {
		return false
	}
	o.metrics.repeated()
	o.done(l, d, "obsolete")
	return true
}

// done settles the delivery and goes on with its lane.
func (o *Outbox) done(l *lane, d *delivery, how string) {
	d.end(how)
	if d.written() {
		l.source.ending--
	}
	if d.envelope.Replay == nil && !d.sent.IsZero() { // not before: its lane waits, and it may have to be sent again
		o.throttles.sent(d.envelope.Alert, d.sent)
	}
	if d.entry != nil {
		l.source.partition.Settle(d.entry)
	}
	o.advance(l)
}

// failed: transient or ambiguous. It counts as an attempt; attempts used up
// are a dead letter only if another delivery succeeded meanwhile.
func (o *Outbox) failed(l *lane, d *delivery, e *outcome.Error, class outcome.Class) {
	if class.Permanence == outcome.Ambiguous {
		d.mayBeRepeat = true
		if o.cfg.Ambiguous == DeadLetter {
			d.attempts++
			o.bury(l, d, e, outcome.Unconfirmed)
			return
		}
	}
	if d.attempts < o.cfg.Retry.Attempts {
		d.attempts++
	}
	if d.attempts >= o.cfg.Retry.Attempts && o.successes > d.witness {
		o.bury(l, d, e, outcome.Exhausted)
		return
	}
	o.tell(slog.LevelInfo, "attempt failed, will be tried again", d, "attempt", d.tries, "cause", e.Cause, "detail", e.Detail)
	o.backoff(l, e.RetryAfter)
}

// later: the recipients that are left asked to wait. No attempt is counted.
func (o *Outbox) later(l *lane, d *delivery, e *outcome.Error) {
	if time.Since(d.firstTried) > rateLimitedFor && o.successes > d.witness {
		for _, r := range d.recipients {
			d.refused = append(d.refused, channel.Refusal{Recipient: r, Err: e})
		}
		o.bury(l, d, e, outcome.Exhausted)
		return
	}
	wait := e.RetryAfter
	if wait <= 0 {
		wait = 5 * time.Minute
	}
	o.backoffs.wait(l, time.Now().Add(wait), true)
}

// hold puts the delivery back as it was: the channel waits, not the lane.
func (o *Outbox) hold(l *lane) { o.enqueue(l) }

// backoff has the lane wait: as told, else a random time that grows.
func (o *Outbox) backoff(l *lane, told time.Duration) {
	if told > 0 {
		o.backoffs.wait(l, time.Now().Add(told), true)
		return
	}
	if l.backoff == nil {
		l.backoff = newBackoff(o.cfg.Retry)
	}
	o.backoffs.wait(l, time.Now().Add(jitter(l.backoff.NextBackOff(), o.driver.Draw)), false)
}

// newBackoff computes 500 ms × 2ⁿ up to 30 s, as configured, without end.
func newBackoff(r Retry) *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(r.Initial), backoff.WithMultiplier(r.Factor), backoff.WithMaxInterval(r.Max),
		backoff.WithRandomizationFactor(0), backoff.WithMaxElapsedTime(0))
}

// minBackoff keeps a retry from following at once.
const minBackoff = 250 * time.Millisecond

// jitter draws uniformly from [minBackoff, d], so that lanes that failed
// together do not come back together.
func jitter(d time.Duration, draw func(time.Duration) time.Duration) time.Duration {
	if d <= minBackoff {
		return max(d, 0)
	}
	return minBackoff + draw(d-minBackoff+1)
}

// noteBreaker takes over what the breaker made of the last result. When it
// closes, the waiting lanes' backoffs are cut short.
func (o *Outbox) noteBreaker() gobreaker.State {
	state := o.breaker.State()
	if state == o.lastState {
		return state
	}
	old := o.lastState
	o.lastState = state
	switch state {
	case gobreaker.StateOpen:
		o.openedAt = time.Now()
		if old == gobreaker.StateClosed {
			o.log.Warn("breaker open: waiting for the channel, trying one delivery at a time", "every", o.cfg.Breaker.Open)
		}
	case gobreaker.StateClosed:
		o.log.Info("breaker closed: the channel works again")
		o.hurry()
	case gobreaker.StateHalfOpen:
	}
	return state
}

// hurry cuts the waiting lanes' backoffs short, but for what the provider told.
func (o *Outbox) hurry() {
	for _, l := range o.backoffs.sorted() {
		if !l.told && !l.queue[0].written() {
			o.backoffs.remove(l)
			o.enqueue(l)
		}
	}
}

// latch closes the gate until a person has mended the channel.
func (o *Outbox) latch(e *outcome.Error) {
	if o.gate.latch(time.Now(), e.Error()) {
		o.log.Error("channel latched: it needs a person; deliveries wait, one is tried after 5 s, then less often, at last once a minute",
			"cause", e.Cause, "detail", e.Detail, "do", e.Remedy())
	}
}

// bury makes a dead letter of the delivery; it is settled when that is
// acknowledged.
func (o *Outbox) bury(l *lane, d *delivery, e *outcome.Error, reason outcome.Reason) {
	d.dead = dlq.Failed(d.envelope.Delivery, d.envelope, dlq.Failure{
		Cause: e.Cause, Reason: reason, Detail: e.Detail, Attempts: d.attempts, First: d.firstTried, Recipients: recipientsOf(d.refused),
	}, o.maxReplays)
	l.source.ending++
	o.ready(l)
}

// startBurials starts writing the dead letters that are due, and the
// tombstones of those that were delivered. They pass by gate, pace and breaker:
// they do not concern the channel.
func (o *Outbox) startBurials() {
	for _, l := range o.burials {
		if l.source.dropped {
			continue
		}
		d := l.queue[0]
		l.source.inFlight++
		o.driver.Go(l.work(d, func() { o.writeEnd(l, d) }))
	}
	o.burials = o.burials[:0]
}

// writeEnd writes how a delivery ended to the dead letters.
func (o *Outbox) writeEnd(l *lane, d *delivery) {
	var err error
	if d.dead != nil {
		err = o.dead.Write(o.ctx, d.dead)
	} else {
		err = o.dead.CloseEntries(o.ctx, d.closing)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.release(l) // after it is settled, as in attempt
	switch {
	case l.source.dropped && err == nil:
		if d.dead != nil {
			o.metrics.deadLettered()
		}
		d.end(d.decided())
		if d.entry != nil {
			l.source.partition.Settle(d.entry)
		}
	case l.source.dropped:
		d.end(abandoned)
	case err != nil && o.ctx.Err() != nil:
	case err != nil:
		l.source.holdFor(fmt.Sprintf("a dead letter cannot be written (%v): is its topic missing? run 'notifier topics check'", errors.Unwrap(err)))
		o.backoff(l, 0)
	case d.closing != nil:
		l.source.holdFor("")
		l.source.rewrote(d)
		if d.envelope.Resolves() {
			o.tell(slog.LevelInfo, "dead letter resolved", d, "replay", d.envelope.Replay.Number, "by", d.envelope.Replay.By)
		}
		o.done(l, d, d.decided())
	default:
		l.source.holdFor("")
		l.source.rewrote(d)
		o.metrics.deadLettered()
		o.tell(slog.LevelWarn, "dead letter", d, "reason", d.dead.Reason, "cause", d.dead.Cause, "detail", d.dead.Detail,
			"attempts", d.dead.Attempts, "recipients", strings.Join(d.dead.Recipients, ","), "duration", time.Since(d.received))
		o.done(l, d, d.decided())
	}
	o.pump()
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
