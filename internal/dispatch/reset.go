package dispatch

import (
	"time"

	"github.com/sony/gobreaker/v2"
)

// Reset has the channel tried at once, because a person says that it was
// mended: the breaker is half open, a latched gate lets one delivery through
// now, one of each suspended rule goes out, too, and refused messages are counted
// from zero. What that delivery meets decides, as always. A wait that the
// provider asked for stands. A channel that works is left as it is, and so is one
// that is being tried: however many ask, one attempt answers them.
func (o *Outbox) Reset(by string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gate.asked || o.probation.Load() {
		return
	}
	now, suspended := time.Now(), false
	for rule, r := range o.refused {
		r.recent = 0
		if r.suspended() {
			r.nextProbe, suspended = now.Add(-overdue), true
		} else {
			delete(o.refused, rule)
		}
	}
	state := o.noteBreaker()
	if state == gobreaker.StateClosed && !o.gate.latched() && !suspended {
		return
	}
	o.log.Info("channel reset: it is tried now", "by", by)
	o.gate.askedFor(now)
	if state != gobreaker.StateClosed {
		// gobreaker has no way to half-open: a new one that trips at the first failure,
		// and lets one attempt through at a time, is the same.
		o.breaker, o.lastState = o.newBreaker(), gobreaker.StateClosed
		o.probation.Store(true)
	}
	o.pump()
}

// probing reports whether one attempt at a time is made, to see whether the
// channel works.
func (o *Outbox) probing(state gobreaker.State) bool {
	return state == gobreaker.StateHalfOpen || o.gate.latched() || o.probation.Load()
}

// judge ends what a reset began, once an attempt says something about the
// channel. A rate limit, and what we gave up ourselves, say nothing.
func (o *Outbox) judge(err error) {
	healthy := err == nil || provesHealth(err)
	if !healthy && !countsAgainst(err) {
		return
	}
	o.gate.asked = false
	if o.probation.Swap(false) && healthy {
		o.log.Info("the channel works again")
		o.hurry()
	}
}
