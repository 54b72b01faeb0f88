package dispatch

import (
	"time"

	"golang.org/x/time/rate"
)

// latchProbe is how often a latched channel is tried with one delivery: often
// enough that a mended channel is noticed soon, seldom enough for providers
// that ban whoever keeps knocking.
const latchProbe = time.Minute

// gate stands in front of the breaker: it is closed while the provider asked
// us to wait, and while a person is needed.
type gate struct {
	until     time.Time     // rate limited
	told      time.Duration // the last wait without a Retry-After; doubles
	reason    string        // why latched; empty: not latched
	since     time.Time
	nextProbe time.Time
	asked     bool // a person wants the next probe now, and it has not told yet
}

func (g *gate) latched() bool { return g.reason != "" }

// latch reports whether that is news: the gate was not latched before, or a
// person asked.
func (g *gate) latch(now time.Time, reason string) bool {
	first := g.reason == ""
	if first {
		g.since = now
	}
	first, g.asked = first || g.asked, false
	g.reason = reason
	g.nextProbe = now.Add(latchProbe)
	return first
}

// rateLimited closes the gate for as long as the provider asked, or, when it
// did not say, for 1 s, 2 s, … up to a minute.
func (g *gate) rateLimited(now time.Time, retryAfter time.Duration) {
	if retryAfter <= 0 {
		g.told = min(max(2*g.told, time.Second), time.Minute)
		retryAfter = g.told
	}
	if until := now.Add(retryAfter); until.After(g.until) {
		g.until = until
	}
}

// closedUntil returns when an attempt may be made.
func (g *gate) closedUntil(now time.Time) time.Time {
	if g.latched() && g.nextProbe.After(g.until) {
		return g.nextProbe
	}
	return g.until
}

// askedFor has a latched gate let an attempt through now.
func (g *gate) askedFor(now time.Time) {
	if g.latched() {
		g.nextProbe, g.asked = now, true
	}
}

// probing notes that an attempt is made now.
func (g *gate) probing(now time.Time) {
	if g.latched() {
		g.nextProbe = now.Add(latchProbe)
	}
}

// open takes note of a success; it reports whether the gate was latched. A
// wait that the provider asked for stands: the success began before it.
func (g *gate) open() bool {
	was := g.latched()
	*g = gate{until: g.until}
	return was
}

// slowDown halves the pace after a 429, down to a sixteenth; speedUp brings it
// back by a tenth with each success.
func (o *Outbox) slowDown() {
	if o.limiter != nil {
		o.limiter.SetLimit(max(o.limiter.Limit()/2, rate.Limit(o.cfg.Pace.Rate)/16))
	}
}

func (o *Outbox) speedUp() {
	if o.limiter != nil && o.limiter.Limit() < rate.Limit(o.cfg.Pace.Rate) {
		o.limiter.SetLimit(min(o.limiter.Limit()*1.1, rate.Limit(o.cfg.Pace.Rate)))
	}
}
