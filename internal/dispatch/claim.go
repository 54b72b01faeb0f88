package dispatch

import (
	"github.com/sony/gobreaker/v2"

	"github.com/algotrade/notifier/internal/offsets"
)

// claim reports whether a delivery may be begun: a commit says that it may be.
// Otherwise one is made.
func (s *source) claim(d *delivery) bool {
	return s.partition == nil || d.entry == nil || s.partition.Claim(d.entry)
}

// note has commits say what was done for a delivery; maybe: it may have been sent,
// or have a dead letter.
func (s *source) note(d *delivery, maybe bool) {
	if s.partition != nil && d.entry != nil {
		s.partition.Try(d.entry, offsets.Tried{Attempts: d.attempts, First: d.firstTried, Maybe: maybe})
	}
}

// committed looks again at what can be done after a commit of a partition.
func (o *Dispatcher) committed(s *source) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.unclaimed = false
	o.pump()
}

// claimAhead has commits claim the deliveries that come next while the channel
// works, so that none waits for that; while it does not, only its probe.
func (o *Dispatcher) claimAhead() {
	ahead := o.p.Uncommitted
	if o.gate.suspended() || o.breaker.seen != gobreaker.StateClosed {
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
