package dispatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
)

// Outbox brings the deliveries of one channel to it. It is the only place that
// knows the channel's pace: order per lane, throttle, gate, pace, breaker,
// retry. The order is retry around breaker around send: an open breaker is a
// reason to wait, never one more failure.
//
// Everything that decides runs in pump, under one mutex; a lane that waits
// holds no goroutine, an attempt in flight holds one.
type Outbox struct {
	name        string
	channel     channel.Channel
	cfg         Config
	uncommitted int
	group       string
	dead        DeadLetters
	elsewhere   Elsewhere
	maxReplays  int
	log         *slog.Logger
	tracer      *tracing.Tracer
	metrics     *channelMetrics
	conditions  *health.Conditions
	driver      Driver

	ctx    context.Context // ends when the process stops waiting for attempts
	cancel context.CancelCauseFunc

	mu        sync.Mutex
	sources   []*source // assigned partitions, served in turn
	turn      int
	lanes     map[laneKey]*lane
	made      uint64 // lanes, ever
	backoffs  laneHeap
	busy      int
	pending   int
	limiter   *rate.Limiter // nil: no pace
	breaker   *gobreaker.TwoStepCircuitBreaker[struct{}]
	lastState gobreaker.State
	openedAt  time.Time
	lastError string            // of the last attempt that failed for the channel's sake
	moves     []control.Request // what is sent elsewhere, in the order in which that was asked
	burials   []*lane           // whose first delivery's end is to be written to the dead letters
	gate      gate
	throttles throttles
	successes uint64               // deliveries that succeeded, ever: the witnesses
	refused   map[string]*refusals // by rule
	asides    int                  // lanes that have stepped aside
}

// DeadLetters takes what a channel will never take.
type DeadLetters interface {
	Write(ctx context.Context, entries ...*dlq.Entry) error
	CloseEntries(ctx context.Context, closures ...*dlq.Closure) error
}

// Params is what an Outbox needs.
type Params struct {
	Name        string
	Channel     channel.Channel
	Config      Config
	Uncommitted int // settled and uncommitted deliveries of a partition beyond which dispatch waits
	Group       string
	Dead        DeadLetters
	Elsewhere   Elsewhere // nil: nothing can be moved
	MaxReplays  int       // after which a dead letter is quarantined
	Logger      *slog.Logger
	Tracer      *tracing.Tracer    // nil: no spans
	Metrics     *Metrics           // nil: none
	Conditions  *health.Conditions // nil: one of its own
	Driver      Driver             // nil: Goroutines
}

// NewOutbox returns the outbox of one channel.
func NewOutbox(p Params) *Outbox {
	o := &Outbox{
		name: p.Name, channel: p.Channel, cfg: p.Config, uncommitted: p.Uncommitted, group: p.Group, dead: p.Dead, elsewhere: p.Elsewhere, maxReplays: p.MaxReplays,
		log:    p.Logger.With("component", "deliver", "channel", p.Name),
		tracer: p.Tracer, metrics: p.Metrics.channel(p.Name), driver: p.Driver,
		conditions: p.Conditions, lanes: make(map[laneKey]*lane), refused: make(map[string]*refusals),
	}
	if o.conditions == nil {
		o.conditions = health.New(p.Logger, nil)
	}
	if o.driver == nil {
		o.driver = &Goroutines{}
	}
	cfg := p.Config
	o.ctx, o.cancel = context.WithCancelCause(context.Background())
	if cfg.Pace.Rate > 0 {
		o.limiter = rate.NewLimiter(rate.Limit(cfg.Pace.Rate), max(1, cfg.Pace.Burst))
	}
	o.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: p.Name, MaxRequests: 1, Interval: 0, Timeout: cfg.Breaker.Open,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) >= cfg.Breaker.Failures },
		IsSuccessful: func(err error) bool { return err == nil || provesHealth(err) },
		IsExcluded:   func(err error) bool { return err != nil && !provesHealth(err) && !countsAgainst(err) },
	})
	o.throttles.evicted = o.metrics.throttleEvicted
	if p.Metrics != nil {
		p.Metrics.watch(o)
	}
	return o
}

// add takes over one delivery of an assigned partition.
func (o *Outbox) add(s *source, d *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.dropped {
		return
	}
	o.pending++
	key := laneKey{source: s, key: string(d.laneKey)}
	if d.laneKey == nil { // null: a lane of its own
		key.key, key.own = "", d
	}
	l := o.lanes[key]
	if l == nil {
		l = o.newLane(key)
	}
	l.queue = append(l.queue, d)
	if l.state == idle {
		o.enqueue(l)
		o.pump()
	}
}

// join adds an assigned partition.
func (o *Outbox) join(s *source) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sources = append(o.sources, s)
}

// leave drops what waits of a partition and returns a channel that is closed
// when its attempts in flight are done.
func (o *Outbox) leave(s *source) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	s.dropped = true
	for i, other := range o.sources {
		if other == s {
			o.sources = append(o.sources[:i], o.sources[i+1:]...)
			break
		}
	}
	for key, l := range o.lanes {
		if l.source != s {
			continue
		}
		o.backoffs.remove(l)
		o.pending -= len(l.queue)
		delete(o.lanes, key)
		if key.aside {
			o.asides--
		}
		if l.state == aside {
			o.refused[key.rule].waiting--
		}
		if l.state != flying { // what is under way ends by itself
			l.queue[0].end(abandoned)
		}
	}
	if len(o.sources) == 0 {
		o.forgetRefusals()
	}
	s.ready, s.replays = nil, nil
	s.drained = make(chan struct{})
	if s.inFlight == 0 {
		close(s.drained)
	}
	return s.drained
}

// wake looks again at what can be done now.
func (o *Outbox) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pump()
}

// pump starts every attempt that may start now and asks to be woken for the next
// that may later. o.mu is held.
func (o *Outbox) pump() {
	if o.ctx.Err() != nil {
		return
	}
	now := time.Now()
	for l := o.backoffs.due(now); l != nil; l = o.backoffs.due(now) {
		o.ready(l)
	}
	o.relieve(now)
	o.startBurials()
	again := o.startMoves(now)
	next := o.start(now)
	if !again.IsZero() && (next.IsZero() || again.Before(next)) {
		next = again
	}
	if l := o.backoffs.first(); l != nil && (next.IsZero() || l.due.Before(next)) {
		next = l.due
	}
	o.driver.WakeAt(next, o.wake)
}

// start begins attempts until something says wait; it returns when to look
// again, zero when an event will tell. Gate, pace, breaker: in this order.
func (o *Outbox) start(now time.Time) (again time.Time) {
	for {
		if o.busy >= o.cfg.Concurrency {
			return time.Time{}
		}
		state := o.noteBreaker()
		if state == gobreaker.StateOpen && len(o.lanes) > 0 {
			return o.openedAt.Add(o.cfg.Breaker.Open + time.Millisecond)
		}
		if o.gate.latched() && o.busy > 0 { // what is in flight, a probe perhaps, tells first
			return time.Time{}
		}
		l := o.next(state, now)
		if l == nil {
			return o.suspendedUntil(now)
		}
		d := l.queue[0]
		if o.obsolete(l, d) || o.suppress(l, d, now) {
			continue
		}
		if until := o.gate.closedUntil(now); until.After(now) {
			return until
		}
		if o.limiter != nil {
			if r := o.limiter.ReserveN(now, 1); r.DelayFrom(now) > 0 {
				wait := r.DelayFrom(now)
				r.CancelAt(now)
				return now.Add(wait)
			}
		}
		done, err := o.breaker.Allow()
		if err != nil { // half-open, and its one probe is under way
			return time.Time{}
		}
		o.gate.probing(now)
		o.launch(l, d, now, done)
	}
}

// next chooses the lane to try: of a suspended rule where nothing else can go,
// or where it has let the others go first for long.
func (o *Outbox) next(state gobreaker.State, now time.Time) *lane {
	probe := o.probing(state)
	if !probe {
		if l := o.pickSuspended(now.Add(-overdue)); l != nil {
			return l
		}
	}
	if l := o.pick(probe); l != nil {
		return l
	}
	return o.pickSuspended(now)
}

// launch starts one attempt.
func (o *Outbox) launch(l *lane, d *delivery, now time.Time, done func(error)) {
	o.take(l)
	if r := o.refused[d.rule()]; r.suspended() {
		r.probes.started(now)
	}
	o.busy++
	l.source.attempts++
	l.tried = now
	d.tries++
	o.begin(l, d, o.throttles.traces(d.envelope))
	if d.firstTried.IsZero() {
		d.firstTried, d.witness = now, o.successes
	}
	m := channel.Message{
		Delivery: d.envelope.Delivery, Alert: *d.envelope.Alert, Event: d.envelope.Event(),
		Recipients: d.recipients, Now: now, MayBeRepeat: d.mayBeRepeat,
	}
	if r := d.envelope.Replay; r != nil {
		m.Replay = r.Number
	} else {
		m.Suppressed, m.SuppressedSince = o.throttles.suppressed(d.envelope.Alert)
	}
	w := l.work(d, func() { o.attempt(l, d, m, done) })
	w.Attempt = true
	o.driver.Go(w)
}

// attempt makes one attempt under its own deadline and settles it.
func (o *Outbox) attempt(l *lane, d *delivery, m channel.Message, done func(error)) {
	ctx, span := d.span.Attempt(o.ctx, o.name, d.tries)
	receipt, err := attempt(ctx, o.send, o.cfg.Timeout, m)
	took := time.Since(m.Now)
	tellAttempt(span, err)
	done(err)

	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy--
	l.source.attempts--
	o.metrics.attempted(err, took)
	o.settle(l, d, receipt, err)
	o.release(l) // last: who waits for it takes what is settled then for final
	o.pump()
}

// Attempt sends a message once, as the daemon does: within a time, with the
// error classified.
func Attempt(ctx context.Context, c channel.Channel, limit time.Duration, m channel.Message) (channel.Receipt, error) {
	return attempt(ctx, c.Send, limit, m)
}

func attempt(ctx context.Context, send func(context.Context, channel.Message) (channel.Receipt, error), limit time.Duration, m channel.Message) (channel.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	receipt, err := send(ctx, m)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = timedOut(err)
	}
	return receipt, err
}

// send calls the channel; a panic there concerns this delivery alone.
func (o *Outbox) send(ctx context.Context, m channel.Message) (receipt channel.Receipt, err error) {
	defer func() {
		if v := recover(); v != nil {
			o.log.Error("panic while sending", "delivery", m.Delivery, "panic", panicText(v), "stack", string(debug.Stack()))
			receipt, err = channel.Receipt{}, outcome.Errorf(outcome.RenderPanicked, "the channel panicked (%T)", v)
		}
	}()
	return o.channel.Send(ctx, m)
}

// panicText is what may be said of a panic: the runtime's own words, or else
// its type, since its text may hold anything.
func panicText(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", v)
}

// timedOut classifies an error that came because the attempt's deadline ended:
// unless the channel knows better, the provider may have taken the message.
func timedOut(err error) error {
	var known *outcome.Error
	if errors.As(err, &known) && known.Cause != outcome.Abandoned && known.Cause != outcome.Unknown {
		return err
	}
	return &outcome.Error{Cause: outcome.Timeout, Detail: "no answer within the time-out", Err: err}
}

// Close gives up attempts in flight and waits for them to end.
func (o *Outbox) Close() error {
	o.mu.Lock()
	o.cancel(errClosed) // pump starts nothing more
	o.driver.WakeAt(time.Time{}, nil)
	o.mu.Unlock()
	o.driver.Wait()
	if c, ok := o.channel.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

var errClosed = errors.New("notifier is stopping")

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
