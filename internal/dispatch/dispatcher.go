package dispatch

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/throttle"
)

// Dispatcher brings the deliveries of one channel to it. It is the only place that
// knows the channel's pace: order per lane, throttle, gate, pace, breaker,
// retry. The order is retry around breaker around send: an open breaker is a
// reason to wait, never one more failure.
//
// Everything that decides runs in pump, under one mutex; a lane that waits
// holds no goroutine, an attempt in flight holds one.
type Dispatcher struct {
	p       Params
	log     *slog.Logger
	metrics *channelMetrics
	ctx     context.Context // ends when the process stops waiting for attempts
	cancel  context.CancelCauseFunc

	mu        sync.Mutex
	lanes     lanes
	gate      gate
	pace      *pace
	breaker   breaker
	throttles throttle.Set
	saving    saving
	silencing silencing
	reminders reminders
	busy      int       // attempts in flight
	ahead     int       // deliveries that commits claim ahead: see claimAhead
	begun     uint64    // attempts begun, ever
	succeeded time.Time // when an attempt succeeded last; zero: not yet
	proof     uint64    // of those that succeeded, the one begun last: a witness for what failed before it
	denials   int       // messages for which the channel was refused with none accepted since
	waits     waits
	zone      *time.Location // of the times in messages; nil: UTC
	fallback  fallbackState
}

// DeadLetters takes what a channel will never take.
type DeadLetters interface {
	Write(ctx context.Context, entries ...*dlq.Entry) error
	CloseEntries(ctx context.Context, closures ...*dlq.Closure) error
}

// Params is what a Dispatcher needs.
type Params struct {
	Name        string
	Channel     channel.Channel
	Config      Config
	Uncommitted int // settled and uncommitted deliveries of a partition beyond which dispatch waits
	Group       string
	Dead        DeadLetters
	Outboxes    Outboxes   // nil: nothing can be moved
	Deliveries  Deliveries // the delivery log; nil: none
	State       State      // nil: throttles end with the process, and nothing is silenced
	Notices     Notices    // nil: nobody is told of what was silenced
	MaxReplays  int        // after which a dead letter is quarantined
	Logger      *slog.Logger
	Tracer      *tracing.Tracer     // nil: no spans
	Metrics     *Metrics            // nil: none
	Conditions  *health.Conditions  // nil: one of its own
	Driver      Driver              // nil: Goroutines
	Redact      func(string) string // takes secrets out of a text; nil: there are none
}

// New returns the dispatcher of one channel.
func New(p Params) *Dispatcher {
	if p.Conditions == nil {
		p.Conditions = health.New(p.Logger, nil)
	}
	if p.Driver == nil {
		p.Driver = &Goroutines{}
	}
	o := &Dispatcher{
		p: p, log: p.Logger.With("component", "dispatch", "channel", p.Name), metrics: p.Metrics.channel(p.Name),
		pace: newPace(p.Config.Pace), breaker: newBreaker(p.Name, p.Config.Breaker),
		lanes: lanes{
			now: p.Driver.Now, uncommitted: p.Uncommitted, singleOwner: p.Config.SingleOwner(), byKey: make(map[laneKey]*lane),
			rules:  suspensions{channel: p.Name, conditions: p.Conditions, byName: make(map[string]*refusals)},
			gather: newGatherer(p.Config.Digest),
		},
	}
	o.ahead = o.mostAhead()
	o.ctx, o.cancel = context.WithCancelCause(context.Background())
	o.throttles.Evicted, o.throttles.Oldest = o.metrics.throttleEvicted, o.lanes.oldest
	o.throttles.By, o.throttles.Dropped = rand.Text(), o.throttleDropped
	o.silencing.by = o.throttles.By
	o.throttles.Grouped = o.lanes.gather != nil
	if p.Metrics != nil {
		p.Metrics.watch(o)
	}
	return o
}

// now is the present by the driver's clock.
func (o *Dispatcher) now() time.Time { return o.p.Driver.Now() }

// add takes over one delivery of an assigned partition.
func (o *Dispatcher) add(s *source, d *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d.failedAt = o.begun // of former attempts, those of this owner alone count
	if s.dropped {
		return
	}
	l, ready := o.lanes.add(s, d)
	if turn := (turn{o, l, d}); !ready && l.group != nil {
		turn.arrive(o.now())
	}
	if ready || o.saving.unseen {
		o.pump()
	}
}

// join adds an assigned partition.
func (o *Dispatcher) join(s *source) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lanes.sources = append(o.lanes.sources, s)
	if s.partition != nil {
		s.partition.ClaimAhead(o.ahead)
	}
	o.recall(s)
}

// leave drops a partition that was revoked and returns a channel that is closed
// when its attempts in flight are done.
func (o *Dispatcher) leave(s *source) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lanes.leave(s)
	o.silencing.leave(s.input)
	if len(o.lanes.sources) == 0 {
		o.forgetWaits()
	}
	s.drained = make(chan struct{})
	if s.inFlight == 0 {
		close(s.drained)
	}
	o.saveNow()
	return s.drained
}

// wake looks again at what can be done now.
func (o *Dispatcher) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pump()
}

// pump starts every attempt that may start now and asks to be woken for the next
// that may later. o.mu is held.
func (o *Dispatcher) pump() {
	if o.ctx.Err() != nil {
		return
	}
	now := o.now()
	for l := o.lanes.backoffs.due(now); l != nil; l = o.lanes.backoffs.due(now) {
		if o.awaitsWitness(l, now) {
			o.lanes.backoffs.wait(l, now.Add(minBackoff), l.wait)
			continue
		}
		o.lanes.ready(l)
	}
	o.lanes.makeRoom()
	o.relieve(now)
	o.startWrites()
	next := earlier(earlier(o.startMoves(now), o.startFallback(now)), o.start(now))
	if l := o.lanes.backoffs.first(); l != nil {
		next = earlier(next, l.due)
	}
	next = earlier(next, o.report(now)) // before save: it writes what was told
	next = earlier(earlier(earlier(next, o.watch(now)), o.save(now)), o.remind(now))
	o.claimAhead()
	o.p.Driver.WakeAt(next, o.wake)
}

// start begins attempts until something says wait; it returns when to look
// again, zero when an event will tell. Gate, pace, breaker: in this order.
func (o *Dispatcher) start(now time.Time) (again time.Time) {
	for {
		if o.busy >= o.p.Config.Concurrency {
			return time.Time{}
		}
		state := o.noteBreaker()
		if state == gobreaker.StateOpen && len(o.lanes.byKey) > 0 {
			return o.breaker.halfOpenAt()
		}
		wait, until := o.probeWaits(state, now)
		l := o.crossCheck(now)
		switch {
		case l != nil:
		case wait:
			return until
		default:
			if l = o.next(state, now); l == nil {
				return o.lanes.rules.next(now)
			}
		}
		t := turn{o, l, l.queue[0]}
		if t.superseded() || t.awaitState(now) || t.suppress(now) {
			continue
		}
		if o.gate.until.After(now) {
			return o.gate.until
		}
		if l.group != nil {
			if wait := o.pace.missing(now, l.severity == alert.Critical.Rank()); wait > 0 {
				return now.Add(wait)
			}
			if !t.d.claiming { // else what comes meanwhile would put it off again and again
				t.gather(now)
			}
		}
		t.d.claiming = !l.source.claim(t.d)
		if l.source.unclaimed = t.d.claiming; l.source.unclaimed {
			continue
		}
		if wait := o.pace.take(now, l.severity == alert.Critical.Rank()); wait > 0 {
			return now.Add(wait)
		}
		done, err := o.breaker.Allow()
		if err != nil { // half-open, and its one probe is in flight
			return time.Time{}
		}
		o.gate.probing(now)
		t.launch(now, done)
	}
}

// probeWaits reports whether a suspended channel, or one whose breaker is half-open,
// has to wait before it is tried, and until when; zero: until what is in flight
// ends. It is asked before a lane is chosen, since that looks at all of them.
func (o *Dispatcher) probeWaits(state gobreaker.State, now time.Time) (wait bool, until time.Time) {
	switch {
	case o.gate.suspended() && o.busy > 0, state == gobreaker.StateHalfOpen && o.breaker.probed():
		return true, time.Time{}
	case o.gate.suspended():
		until = o.gate.closedUntil(now)
	}
	return until.After(now), until
}

// next chooses the lane to try: of a suspended rule where nothing else can go,
// or where it has let the others go first for long.
func (o *Dispatcher) next(state gobreaker.State, now time.Time) *lane {
	if state == gobreaker.StateHalfOpen || o.gate.suspended() { // one attempt, to see whether the channel works
		if l := o.lanes.pickProbe(o.gate.since); l != nil {
			return l
		}
		return o.lanes.pickSuspended(now)
	}
	if l := o.lanes.pickSuspended(now.Add(-overdue)); l != nil {
		return l
	}
	if l := o.lanes.pick(); l != nil {
		return l
	}
	return o.lanes.pickSuspended(now)
}

// relieve dead-letters the oldest delivery of a suspended rule where those crowd
// out the others. It does not do so while the channel itself waits.
func (o *Dispatcher) relieve(now time.Time) {
	if o.lanes.asides == 0 || o.breaker.seen != gobreaker.StateClosed || o.gate.suspended() || o.gate.closedUntil(now).After(now) {
		return
	}
	for _, s := range o.lanes.sources {
		l := o.lanes.crowding(s)
		if l == nil {
			continue
		}
		d, e := l.queue[0], o.lanes.rules.byName[l.key.rule].last
		if d.firstTried.IsZero() {
			d.firstTried = now
		}
		o.lanes.dissolve(l)
		o.lanes.unlist(l)
		turn{o, l, d}.deadLetter(outcome.Errorf(e.Cause, "not sent: its rule is suspended, and too many of its alerts wait; the last one was refused with %s", e.Detail),
			e.Cause.Class().Reason)
	}
}

// refuse counts a message that the provider will never take: it may suspend the
// rule, or the channel.
func (o *Dispatcher) refuse(rule string, e *outcome.Error) {
	if r, suspended := o.lanes.rules.refuse(rule, e, o.now()); suspended {
		o.lanes.suspend(r)
	}
	if n, rules := o.lanes.rules.recent(); n >= defectAfter {
		o.suspend(outcome.Errorf(outcome.Misconfigured, "messages of %d rules were refused and none was taken between (%s), the last with %s",
			len(rules), strings.Join(rules[:min(len(rules), 5)], ", "), e))
	}
}

// Close gives up attempts in flight and waits for them to end.
func (o *Dispatcher) Close() error {
	o.mu.Lock()
	o.cancel(errClosed) // pump starts nothing more
	o.saving.abandon()
	o.p.Driver.WakeAt(time.Time{}, nil)
	o.mu.Unlock()
	o.p.Driver.Wait()
	if c, ok := o.p.Channel.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

var errClosed = errors.New("notifier is stopping")
