package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// launch starts one attempt.
func (t turn) launch(now time.Time, done func(error)) {
	o, l, d := t.o, t.l, t.d
	o.lanes.take(l)
	if r := o.lanes.rules.byName[d.rule()]; r.suspended() {
		r.probes.started(now)
	}
	o.busy++
	l.source.attempts++
	l.tried = now
	d.tries++
	o.begun++
	l.attempt = o.begun
	o.begin(l, d, t.traces())
	if d.firstTried.IsZero() {
		d.firstTried = now
	}
	l.source.note(d, true)
	m := channel.Message{
		Delivery: d.envelope.Delivery, Alert: *d.envelope.Alert, Event: d.envelope.Event(),
		Recipients: d.recipients, Delivered: d.delivered, Now: now, MayBeDuplicate: d.mayBeDuplicate, Zone: o.zone, Instead: d.instead(),
	}
	if r := d.envelope.Replay; r != nil {
		if m.Resent = d.envelope.Resent(); !m.Resent {
			m.Replay = r.Number
		}
	} else {
		if d.sent.IsZero() {
			d.throttled, d.throttledAt = t.throttled()
		}
		m.Suppressed, m.SuppressedSince = d.throttled, d.throttledAt
	}
	t.tellEpisode(&m)
	if len(d.members) > 0 {
		t.digest(&m)
	}
	w := l.work(d, func() { t.attempt(m, done) })
	w.Attempt = true
	o.p.Driver.Go(w)
}

// UseZone applies the zone of a rules file to the times in messages from now on.
func (o *Dispatcher) UseZone(zone *time.Location) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.zone = zone
}

// attempt makes one attempt under its own deadline and settles it. It takes the
// dispatcher's mutex.
func (t turn) attempt(m channel.Message, done func(error)) {
	o := t.o
	ctx, span := t.d.span.Attempt(o.ctx, o.p.Name, t.d.tries)
	receipt, err := attempt(ctx, o.send, o.p.Config.Timeout, m)
	took := o.now().Sub(m.Now)
	tellAttempt(span, err)

	o.mu.Lock()
	defer o.mu.Unlock()
	done(err)
	o.busy--
	t.l.source.attempts--
	o.metrics.attempted(err, took)
	t.tried(m.Now, took, err)
	t.settle(receipt, err)
	t.l.source.note(t.d, t.d.written() || t.d.mayBeDuplicate || mayHaveArrived(err))
	o.lanes.letCriticalPass(t.l)
	t.l.source.release() // last: who waits for it takes what is settled then for final
	o.pump()
}

// mayHaveArrived reports whether an attempt with this result may have reached
// someone.
func mayHaveArrived(err error) bool {
	if err == nil {
		return true
	}
	cause := outcome.Classify(err).Cause
	return cause == outcome.Abandoned || cause.Class().Permanence == outcome.Ambiguous
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
func (o *Dispatcher) send(ctx context.Context, m channel.Message) (receipt channel.Receipt, err error) {
	defer func() {
		if v := recover(); v != nil {
			o.log.Error("panic while sending", "delivery", m.Delivery, "panic", panicText(v), "stack", string(debug.Stack()))
			receipt, err = channel.Receipt{}, outcome.Errorf(outcome.RenderPanicked, "the channel panicked (%T)", v)
		}
	}()
	return o.p.Channel.Send(ctx, m)
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
