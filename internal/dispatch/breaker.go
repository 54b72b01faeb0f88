package dispatch

import (
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/sony/gobreaker/v2"

	"github.com/algotrade/notifier/internal/outcome"
)

// breaker is the channel's circuit breaker, in gobreaker's two-step form:
// attempts run in goroutines of their own, and the decision to start one is made
// under the dispatcher's mutex.
type breaker struct {
	*gobreaker.TwoStepCircuitBreaker[struct{}]
	open     time.Duration // how long it stays open
	seen     gobreaker.State
	openedAt time.Time
	since    time.Time      // when it left the closed state
	failure  *outcome.Error // the last that concerned the channel
}

func newBreaker(name string, b Breaker) breaker {
	return breaker{open: b.Open, TwoStepCircuitBreaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: 1, Interval: 0, Timeout: b.Open,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) >= b.Failures },
		IsSuccessful: func(err error) bool { return err == nil || provesHealth(err) },
		IsExcluded:   func(err error) bool { return err != nil && !provesHealth(err) && !countsAgainst(err) },
	})}
}

// halfOpenAt returns when an open breaker lets a probe through.
func (b *breaker) halfOpenAt() time.Time { return b.openedAt.Add(b.open + time.Millisecond) }

// probed reports whether a half-open breaker has let its one probe through.
func (b *breaker) probed() bool {
	c := b.Counts()
	return c.Requests > c.TotalExclusions
}

// changed returns the breaker's state, and the one before where it is another
// since the last call.
func (b *breaker) changed(now time.Time) (state, before gobreaker.State, changed bool) {
	state, before = b.State(), b.seen
	if state == before {
		return state, before, false
	}
	b.seen = state
	if state == gobreaker.StateOpen {
		b.openedAt = now
	}
	if before == gobreaker.StateClosed {
		b.since = now
	}
	return state, before, true
}

// countsAgainst: failures that speak against the provider's health.
func countsAgainst(err error) bool {
	e := outcome.Classify(err)
	c := e.Cause.Class()
	return c.Scope == outcome.Channel && e.Cause != outcome.Abandoned &&
		(c.Permanence == outcome.Transient || c.Permanence == outcome.Ambiguous)
}

// provesHealth: refusals that only a healthy provider can give.
func provesHealth(err error) bool {
	e := outcome.Classify(err)
	c := e.Cause.Class()
	return e.Answered && c.Permanence == outcome.Permanent && c.Scope != outcome.Channel
}

// newBackoff computes 500 ms × 2ⁿ up to 30 s, as configured, without end.
func newBackoff(r Retry) *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(r.Initial), backoff.WithMultiplier(r.Factor), backoff.WithMaxInterval(r.Max),
		backoff.WithRandomizationFactor(0), backoff.WithMaxElapsedTime(0))
}

// minBackoff keeps a retry from following at once.
const minBackoff = 250 * time.Millisecond

// jitter draws uniformly from [minBackoff, d], so that lanes that failed
// together do not retry together.
func jitter(d time.Duration, draw func(time.Duration) time.Duration) time.Duration {
	if d <= minBackoff {
		return max(d, 0)
	}
	return minBackoff + draw(d-minBackoff+1)
}

// noteFailure keeps the failure of an attempt, if it concerns the channel.
func (o *Dispatcher) noteFailure(err error) {
	if err == nil {
		return
	}
	if e := outcome.Classify(err); e.Cause.Class().Scope == outcome.Channel && e.Cause != outcome.Abandoned {
		o.breaker.failure = e
	}
}

// noteBreaker takes over what the breaker made of the last result. When it
// closes, the waiting lanes' backoffs are cut short.
func (o *Dispatcher) noteBreaker() gobreaker.State {
	state, before, changed := o.breaker.changed(o.now())
	switch {
	case !changed:
	case state == gobreaker.StateOpen && before == gobreaker.StateClosed:
		e := o.breaker.failure
		o.log.Warn("circuit open: deliveries wait, one at a time is tried",
			"every", o.p.Config.Breaker.Open, "cause", e.Cause, "detail", e.Detail, "remedy", e.Remedy())
	case state == gobreaker.StateClosed:
		o.log.Info("circuit closed: channel recovered", "lasted", o.now().Sub(o.breaker.since).Round(time.Millisecond))
		o.lanes.hurry()
	}
	return state
}
