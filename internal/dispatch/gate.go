package dispatch

import (
	"math"
	"time"

	"golang.org/x/time/rate"

	"github.com/algotrade/notifier/internal/outcome"
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
// us to wait, and while the channel is suspended.
type gate struct {
	until   time.Time // rate limited
	limited limited   // since the last success
	reason  string    // why suspended; empty: not suspended
	since   time.Time // when it was suspended
	single  bool      // suspended for one message, whose own fault it may be
	probes  probes
}

// limited is a time in which the provider asked us to wait, with no success
// between.
type limited struct {
	since   time.Time // zero: it did not
	last    time.Time // when it asked last
	what    *outcome.Error
	backoff time.Duration // our own wait; doubles with each request
	warned  bool          // that it lasts
}

func (g *gate) suspended() bool { return g.reason != "" }

// suspend closes the gate until an operator has fixed the channel. It reports
// whether the gate was not suspended before.
func (g *gate) suspend(now time.Time, reason string) bool {
	first := !g.suspended()
	g.reason = reason
	if first {
		g.since = now
		g.probes.begin(now)
	} else {
		g.probes.failed(now)
	}
	return first
}

// rateLimited closes the gate for as long as the provider asked in answer to an
// attempt that began at a time, but at least for 1 s, 2 s, … up to a minute. It
// reports whether the attempt knew of no earlier request to wait: attempts in
// flight together count once.
func (g *gate) rateLimited(now, began time.Time, e *outcome.Error) (counts bool) {
	l := &g.limited
	if counts = began.After(l.last); counts {
		l.backoff = min(max(2*l.backoff, time.Second), time.Minute)
		l.last, l.what = now, e
	}
	if l.since.IsZero() {
		l.since = now
	}
	if until := now.Add(max(e.RetryAfter, l.backoff)); until.After(g.until) {
		g.until = until
	}
	return counts
}

// closedUntil returns when an attempt may be made.
func (g *gate) closedUntil(now time.Time) time.Time {
	if g.suspended() && g.probes.next.After(g.until) {
		return g.probes.next
	}
	return g.until
}

// probing notes that an attempt is made now.
func (g *gate) probing(now time.Time) {
	if g.suspended() {
		g.probes.started(now)
	}
}

// open takes note of a success; it reports whether the gate was suspended.
// A wait that the provider asked for is kept: the success began before it.
func (g *gate) open(now time.Time) bool {
	was := g.suspended()
	kept := gate{until: g.until}
	if g.until.After(now) {
		kept.limited = g.limited
	}
	*g = kept
	return was
}

// pace is how fast a channel may be sent to. A nil one has no limit.
type pace struct {
	limiter *rate.Limiter
	most    rate.Limit // as configured
}

func newPace(p Pace) *pace {
	if p.Rate <= 0 {
		return nil
	}
	return &pace{rate.NewLimiter(rate.Limit(p.Rate), max(1, p.Burst)), rate.Limit(p.Rate)}
}

// take takes a token for an attempt now, or returns how long there is none. Where
// there is a burst, the last token is for critical alerts.
func (p *pace) take(now time.Time, critical bool) (wait time.Duration) {
	if wait = p.missing(now, critical); p == nil || wait > 0 {
		return wait
	}
	r := p.limiter.ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// missing returns how long there is no token for an attempt.
func (p *pace) missing(now time.Time, critical bool) time.Duration {
	if p == nil {
		return 0
	}
	need := 1.0
	if !critical && p.limiter.Burst() > 1 {
		need = 2
	}
	missing := need - p.limiter.TokensAt(now)
	return max(0, time.Duration(math.Ceil(missing/float64(p.limiter.Limit())*float64(time.Second))))
}

// slowDown halves the pace after a 429, down to a sixteenth; speedUp brings it
// back by a tenth with each success.
func (p *pace) slowDown() {
	if p != nil {
		p.limiter.SetLimit(max(p.limiter.Limit()/2, p.most/16))
	}
}

// rate returns how many attempts a second may begin now; 0: any number.
func (p *pace) rate() float64 {
	if p == nil {
		return 0
	}
	return float64(p.limiter.Limit())
}

func (p *pace) speedUp() {
	if p != nil && p.limiter.Limit() < p.most {
		p.limiter.SetLimit(min(p.limiter.Limit()*1.1, p.most))
	}
}
