package dispatch

import (
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/throttle"
)

// stateWithin is how long alerts with a throttle wait, after an assignment, until the
// throttles of the former owner are known.
const stateWithin = 5 * time.Second

// recall asks for what former owners of a partition have written.
func (o *Dispatcher) recall(s *source) {
	if o.p.State == nil {
		return
	}
	now := o.now()
	s.recalls, s.unsure, s.unknown = now.Add(stateWithin), now.Add(endWithin), true
	o.p.State.Known(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		s.recalls, s.unknown, o.silencing.known, o.silencing.look = time.Time{}, false, true, time.Time{}
		o.reminders.next = o.now()
		for _, l := range o.lanes.backoffs.sorted() {
			if l.source == s && l.wait == stateEnd {
				o.lanes.backoffs.remove(l)
				o.lanes.enqueue(l)
			}
		}
		o.pump()
	})
}

// unrecalled reports whether a former owner may have opened the delivery's throttle, or a
// silence may keep it from being sent, and that is not known yet. What a process has read of
// silences once it knows from then on.
func (t turn) unrecalled() bool { return !t.recalledAt().IsZero() }

// recalledAt returns until when the delivery waits for what former owners know; zero: it
// does not.
func (t turn) recalledAt() time.Time {
	a, s := t.d.envelope.Alert, t.l.source
	switch {
	case t.d.envelope.Replay != nil:
		return time.Time{}
	case t.unsure() && s.unsure.After(t.o.now()) && !t.firesBehind(false):
		return s.unsure
	case !s.recalls.IsZero() && (a.Throttle > 0 || a.Clears || !t.o.silencing.known):
		return s.recalls
	}
	return time.Time{}
}

// awaitState has the lane wait while its throttle may not be known, and reports whether it does.
func (t turn) awaitState(now time.Time) bool {
	s := t.l.source
	if until := t.recalledAt(); until.After(now) {
		t.o.lanes.unlist(t.l)
		t.o.lanes.backoffs.wait(t.l, until, stateEnd)
		return true
	} else if until.IsZero() {
		return false
	}
	t.o.log.Warn("throttles of the former owner are not known, alerts are sent without them", "waited", stateWithin)
	s.recalls, t.o.silencing.known = time.Time{}, true
	return false
}

// After a start, ingest raises a resolved alert for each key that an event with clear has,
// since it does not know which fire. Few of them end anything. Where it cannot be known
// which, they wait for longer than alerts do; then a few are sent, lest what was told stays
// open, and no more: a flood would hold up the alerts.
const (
	endWithin = 30 * time.Second
	maxUnsure = 20 // of a partition
)

// unsure reports whether the delivery is a resolved alert of which a former owner may have
// told the firing, and that is not known.
func (t turn) unsure() bool {
	a := t.d.envelope.Alert
	return t.l.source.unknown && a.State == alert.Resolved && a.Clears && !t.o.throttles.Ends(a, t.place())
}

// firesBehind reports whether the delivery's lane holds a firing behind it, which must not
// wait for it; same: of its own key.
func (t turn) firesBehind(same bool) bool {
	for _, d := range t.l.queue[slices.Index(t.l.queue, t.d)+1:] {
		if d.envelope.Alert.State == alert.Firing && (!same || d.sameKey(t.d)) {
			return true
		}
	}
	return false
}

// dropUnsure reports whether a resolved alert is not sent though it may be the end of what a
// former owner told: too many such were sent, or its key fires again. What comes next of the
// key does not belong to that episode.
func (t turn) dropUnsure(now time.Time) bool {
	s := t.l.source
	if t.d.unsure {
		return false
	}
	if !t.firesBehind(true) {
		if t.d.unsure = s.sentUnsure < maxUnsure; t.d.unsure {
			s.sentUnsure++
			return false
		}
		if !s.dropsUnsure {
			s.dropsUnsure = true
			t.o.log.Warn("resolved alerts dropped: it is not known whether their firings were sent", "partition", s.input.Partition, "sent", maxUnsure)
		}
	}
	t.o.throttles.Over(t.d.envelope.Alert, t.d.envelope.Delivery, t.place(), now)
	t.d.saves = t.o.change(throttleState(throttle.KeyOf(t.d.envelope.Alert)), false)
	return true
}
