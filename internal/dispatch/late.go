package dispatch

import (
	"slices"
	"time"
)

// describeLate adds what tells how late the channel is, and who speaks for it.
func (o *Dispatcher) describeLate(s *Status) {
	s.Owned = slices.ContainsFunc(o.lanes.sources, func(s *source) bool { return s.input.Partition == 0 })
	s.Oldest, s.Gathers, s.Succeeded = o.lanes.oldestReady(), o.lanes.gather != nil, o.succeeded
	if o.fallback.told {
		s.Fallback = o.p.Config.Fallback.To
	}
	if e := o.breaker.failure; e != nil && !o.downSince().IsZero() {
		s.Remedy = e.Remedy()
	}
}

// oldestReady is when the oldest message that only waits for the channel was written to the
// outbox, or its window ended; zero: there is none.
func (q *lanes) oldestReady() (oldest time.Time) {
	for _, l := range q.byKey {
		if len(l.queue) == 0 { // another lane's message speaks for it
			continue
		}
		d := l.queue[0]
		if d.written() || l.key.aside || !d.deferred.IsZero() || l.state == waiting && (l.wait == windowEnd || l.wait == stateEnd) {
			continue
		}
		var ready time.Time
		for x := range d.all {
			ready = earlier(ready, x.stored)
		}
		if l.group != nil {
			if end := l.group.Due(l.severity); end.After(ready) {
				ready = end
			}
		}
		oldest = earlier(oldest, ready)
	}
	return oldest
}
