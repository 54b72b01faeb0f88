package dispatch

import (
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// A suspended channel, and a suspended rule, is tried with one delivery: first
// after firstProbe, then each time after twice as long, at most lastProbe. A
// repaired channel is noticed soon, and providers that ban persistent clients
// see one request a minute.
const (
	firstProbe = 5 * time.Second
	lastProbe  = time.Minute
)

// probes is when one suspended channel or rule is tried.
type probes struct {
	next time.Time
	wait time.Duration // between the last probe, or the beginning, and the next
}

func (p *probes) begin(now time.Time) { p.wait, p.next = firstProbe, now.Add(firstProbe) }

// started notes that a probe starts now.
func (p *probes) started(now time.Time) {
	p.wait = min(2*p.wait, lastProbe)
	p.next = now.Add(p.wait)
}

// failed notes that a probe has ended now: the wait counts from here.
func (p *probes) failed(now time.Time) { p.next = now.Add(p.wait) }

// gate stands in front of the breaker: it is closed while the provider asked
// us to wait, and while a person is needed.
type gate struct {
	until  time.Time     // rate limited
	told   time.Duration // the last wait without a Retry-After; doubles
	reason string        // why latched; empty: not latched
	since  time.Time
	probes probes
}

func (g *gate) latched() bool { return g.reason != "" }

// latch reports whether that is news: the gate was not latched before.
func (g *gate) latch(now time.Time, reason string) bool {
	first := !g.latched()
	g.reason = reason
	if first {
		g.since = now
		g.probes.begin(now)
	} else {
		g.probes.failed(now)
	}
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
	if g.latched() && g.probes.next.After(g.until) {
		return g.probes.next
	}
	return g.until
}

// probing notes that an attempt is made now.
func (g *gate) probing(now time.Time) {
	if g.latched() {
		g.probes.started(now)
	}
}

// open takes note of a success; it reports whether the gate was latched. A
// wait that the provider asked for stands: the success began before it.
func (g *gate) open() bool {
	was := g.latched()
	*g = gate{until: g.until}
	return was
}

// probing reports whether one attempt at a time is made, to see whether the
// channel works.
func (o *Outbox) probing(state gobreaker.State) bool {
	return state == gobreaker.StateHalfOpen || o.gate.latched()
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
