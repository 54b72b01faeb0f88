package dispatch

import (
	"github.com/sony/gobreaker/v2"

	"github.com/algotrade/notifier/internal/offsets"
)

// claim reports whether a delivery and its members may be begun: a commit says that
// they may be. Otherwise one is made.
func (s *source) claim(d *delivery) bool {
	if s.partition == nil || d.entry == nil {
		return true
	}
	return s.partition.Claim(d.entries())
}

// recorded reports whether commits say that a delivery and its members were begun.
func (s *source) recorded(d *delivery) bool {
	if s.partition == nil || d.entry == nil {
		return true
	}
	return s.partition.Recorded(d.entries())
}

// entries returns those of the first and the last of a delivery and its members.
func (d *delivery) entries() (first, last *offsets.Entry) {
	first, last = d.entry, d.entry
	for _, m := range d.members {
		if m.entry.Offset() < first.Offset() {
			first = m.entry
		}
		if m.entry.Offset() > last.Offset() {
			last = m.entry
		}
	}
	return first, last
}

// note has commits say what was done for a delivery and its members; maybe: it may have been sent,
// or have a dead letter.
func (s *source) note(d *delivery, maybe bool) {
	if s.partition == nil {
		return
	}
	for d := range d.all {
		if d.entry != nil {
			s.partition.Try(d.entry, offsets.Tried{Attempts: d.attempts, First: d.firstTried, Maybe: maybe})
		}
	}
}

// committed looks again at what can be done after a commit of a partition.
func (o *Dispatcher) committed(s *source) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.unclaimed = false
	o.pump()
}

// mostAhead returns how many deliveries commits claim ahead. With a rate limit there
// is time for a commit before each: what is sent in a tenth of a second is enough,
// and of a slow channel a crash leaves only what was in flight in doubt.
func (o *Dispatcher) mostAhead() int {
	if rate := o.p.Config.Pace.Rate; rate > 0 {
		return int(min(float64(rate)/10, float64(o.p.Uncommitted)))
	}
	return o.p.Uncommitted
}

// onlyProbed reports whether deliveries are tried one at a time, to see whether the
// channel works again.
func (o *Dispatcher) onlyProbed() bool {
	return o.gate.suspended() || o.breaker.seen != gobreaker.StateClosed
}

// claimAhead has commits claim the deliveries that come next while the channel
// works, so that none waits for that; while it does not, only its probe.
func (o *Dispatcher) claimAhead() {
	ahead := o.mostAhead()
	if o.onlyProbed() {
		ahead = 0
	}
	if ahead == o.ahead {
		return
	}
	o.ahead = ahead
	for _, s := range o.lanes.sources {
		if s.partition != nil {
			s.partition.ClaimAhead(ahead)
		}
	}
}
