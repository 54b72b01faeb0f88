package dispatch

import (
	"log/slog"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/throttle"
)

// suppress settles a delivery that policy keeps from being sent, and reports
// whether it did.
func (t turn) suppress(now time.Time) bool {
	t.giveBackSilenced(now)
	if len(t.d.members) > 0 {
		return t.suppressDigest(now)
	}
	how, why := t.policy(now)
	if how == "" {
		return false
	}
	t.endKept(how, why, func() { t.o.lanes.advance(t.l) })
	return true
}

// policy decides whether a delivery is kept from being sent, and counts that: how it
// ends, and why; empty: it is sent.
func (t turn) policy(now time.Time) (how, why string) {
	o, d := t.o, t.d
	a := d.envelope.Alert
	if d.envelope.Replay != nil && !t.resolvesAgain() {
		return "", "" // an operator asked for it
	}
	if d.recipients != nil || len(d.refused) > 0 {
		return "", "" // some recipients have it: it continues
	}
	tried := d.attempts > 0 || !d.firstTried.IsZero() // then it has its turn in the throttle
	how = expired
	switch {
	case t.unneeded(now):
		o.metrics.suppressed(unneeded)
		o.tell(slog.LevelDebug, "resolved or reminded of, and no such alert is open: not sent", d)
		return unneeded, ""
	case a.Reminder > 0 && t.silenced(now) != nil:
		how, why = silenced, t.silenceReminder(now)
	case a.State == alert.Resolved || a.Reminder > 0:
		return "", "" // it is owed
	case hasExpired(a, now):
		why = t.expire(now)
		t.noteInDoubt(now)
	case t.silenced(now) != nil:
		how, why = silenced, t.silence(now)
		t.noteInDoubt(now)
	case !tried && o.throttles.Suppress(a, d.envelope.Delivery, t.place()):
		how, why = throttledAway, o.throttles.Of(a).Why(a)
		t.keepAlert()
		t.throttle()
	case a.Clears && d.open() && !d.inherited && t.resolvedBehind():
		how, why = throttledAway, "it was resolved before it could be sent: the resolved alert tells of it"
		o.throttles.Pass(a, t.place(), now)
		t.throttle()
	default:
		return "", ""
	}
	if o.p.Tracer != nil {
		o.begin(t.l, d, nil)
		if how == throttledAway {
			o.throttles.Link(a, d.envelope.Trace)
		}
	}
	return how, why
}

// throttle notes that the delivery is counted instead of sent.
func (t turn) throttle() {
	t.d.saves = t.o.change(throttleState(throttle.KeyOf(t.d.envelope.Alert)), false)
	t.o.metrics.suppressed(throttledAway)
	t.o.tell(slog.LevelDebug, "throttled, not sent", t.d)
}

// place is where the delivery stands.
func (t turn) place() throttle.Place {
	s := t.l.source
	return throttle.Place{Topic: s.input.Topic, Partition: s.input.Partition, Offset: t.d.at.Offset}
}
