package dispatch

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/plural"
)

// A wait that a provider asked for is normal while it is short. From these times
// on it is a condition.
const (
	longLimit    = 3 * time.Minute  // of a channel, with no success between
	longDeferral = 10 * time.Minute // of a delivery, for some of its recipients
	// deferralTold is after how long a line warns of the latter.
	deferralTold = 3 * time.Minute
	// lookAgain is after how long waiting deliveries are looked through again.
	lookAgain = time.Minute
)

// waits is what is shown of waits that last.
type waits struct {
	limited bool // the condition that the channel waits is set
	// deferred are the deliveries of which recipients asked for a later attempt, and
	// some that have ended since.
	deferred map[*delivery]*source
	look     time.Time // when they are looked through; zero: there is none
	told     bool      // a line has warned of them
}

// rateLimited has the channel wait: the provider asked for it in answer to an
// attempt that began at a time.
func (o *Dispatcher) rateLimited(began time.Time, e *outcome.Error) {
	now := o.now()
	first := o.gate.limited.since.IsZero()
	if o.gate.rateLimited(now, began, e) {
		o.pace.slowDown()
	}
	if first {
		o.log.Info("provider asked to wait: deliveries wait", "cause", e.Cause, "detail", e.Detail, "until", clock(o.gate.until))
	}
	o.gate.limited.warned = false // its message is another
}

// noteDeferred notes that recipients of a delivery asked for a later attempt.
func (o *Dispatcher) noteDeferred(s *source, d *delivery, e *outcome.Error, until time.Time) {
	d.deferral, d.deferredUntil = e, until
	if !d.deferred.IsZero() {
		return
	}
	d.deferred = o.now()
	if o.waits.deferred == nil {
		o.waits.deferred = make(map[*delivery]*source)
	}
	o.waits.deferred[d] = s
	if o.waits.look.IsZero() {
		o.waits.look = d.deferred.Add(deferralTold)
	}
	o.tell(slog.LevelInfo, "recipients deferred: they are tried again later", d, "recipients", strings.Join(d.lacking, ","),
		"cause", e.Cause, "detail", e.Detail, "until", clock(until))
}

// watch sets and clears the conditions of waits that last, and returns when to
// look again; zero: an event will tell.
func (o *Dispatcher) watch(now time.Time) (again time.Time) {
	l := &o.gate.limited
	if o.lanes.pending == 0 && !o.gate.until.After(now) {
		*l = limited{} // nothing is left that would end it
	}
	switch long := l.since.Add(longLimit); {
	case l.since.IsZero() && o.waits.limited:
		o.p.Conditions.Clear(health.Waiting, o.p.Name)
		o.waits.limited = false
	case l.since.IsZero() || l.warned:
	case long.After(now):
		again = long
	default:
		l.warned, o.waits.limited = true, true
		o.p.Conditions.Set(health.Condition{
			Type: health.Waiting, Subject: o.p.Name, Attrs: []any{"channel", o.p.Name, "cause", l.what.Cause, "until", clock(o.gate.until)},
			Message: fmt.Sprintf("channel %s has waited since %s, as its provider asks: %s; %s", o.p.Name, clock(l.since), l.what, l.what.Remedy()),
		})
	}
	if o.waits.look.IsZero() {
		return again
	}
	if !o.waits.look.After(now) {
		o.lookAtDeferred(now)
	}
	return earlier(again, o.waits.look)
}

// lookAtDeferred warns of deliveries whose recipients have asked for later attempts
// for some minutes, and makes it a condition after more.
func (o *Dispatcher) lookAtDeferred(now time.Time) {
	w := o.waits.deferrals()
	o.waits.look = time.Time{}
	if w.first != nil {
		o.waits.look = now.Add(lookAgain)
	}
	if w.lasts(longDeferral, now) {
		e := w.first.deferral
		o.p.Conditions.Set(health.Condition{
			Type: health.Waiting, Subject: o.deferredSubject(), Attrs: []any{"channel", o.p.Name, "cause", e.Cause, "deliveries", w.n},
			Message: fmt.Sprintf("channel %s: %s; %s", o.p.Name, w, e.Remedy()),
		})
		return
	}
	o.p.Conditions.Clear(health.Waiting, o.deferredSubject())
	told := o.waits.told
	if o.waits.told = w.lasts(deferralTold, now); o.waits.told && !told {
		e := w.first.deferral
		o.log.Warn("recipients still deferred", "deliveries", w.n, "recipients", w.names(), "since", clock(w.first.deferred),
			"cause", e.Cause, "detail", e.Detail, "until", clock(w.next), "remedy", e.Remedy())
	}
}

func (o *Dispatcher) deferredSubject() string { return o.p.Name + "/recipients" }

// forgetWaits drops the conditions with the last partition: its next owner sees
// for itself.
func (o *Dispatcher) forgetWaits() {
	o.p.Conditions.Forget(o.p.Name)
	o.p.Conditions.Forget(o.deferredSubject())
	o.gate.limited.warned, o.waits = false, waits{}
}

// deferrals are the deliveries that wait because recipients asked for that.
type deferrals struct {
	first   *delivery // that waits longest; nil: none does
	n       int
	lacking []string  // the recipients
	next    time.Time // when the next is tried
}

// maxNamed is how many deferred recipients are named.
const maxNamed = 3

// deferrals forgets deliveries that have ended.
func (o *waits) deferrals() (w deferrals) {
	for d, s := range o.deferred {
		switch {
		case d.ended || s.dropped:
			delete(o.deferred, d)
			continue
		case d.written():
			continue
		}
		w.n++
		for _, r := range d.lacking {
			if !slices.Contains(w.lacking, r) {
				w.lacking = append(w.lacking, r)
			}
		}
		if w.first == nil || d.deferred.Before(w.first.deferred) {
			w.first = d
		}
		w.next = earlier(w.next, d.deferredUntil)
	}
	return w
}

// lasts reports whether there have been some for as long.
func (w deferrals) lasts(long time.Duration, now time.Time) bool {
	return w.first != nil && !w.first.deferred.Add(long).After(now)
}

func (w deferrals) String() string {
	text := "1 alert waits"
	if w.n > 1 {
		text = fmt.Sprintf("%d alerts wait", w.n)
	}
	text += " for " + w.names()
	return fmt.Sprintf("%s since %s: %s", text, clock(w.first.deferred), w.first.deferral)
}

// names names the recipients, the same ones each time.
func (w deferrals) names() string {
	if len(w.lacking) == 0 {
		return "recipients"
	}
	all := slices.Sorted(slices.Values(w.lacking))
	named := strings.Join(all[:min(len(all), maxNamed)], ", ")
	if more := len(all) - maxNamed; more > 0 {
		named += " and " + plural.Count(more, "other")
	}
	return named
}

// earlier returns the earlier of two times; a zero one does not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
