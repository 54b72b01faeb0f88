package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// Output is what some records of a partition have raised: outbox records and
// dead letters, which are written until they are acknowledged. While they cannot
// be written the partition is blocked. It is for one goroutine.
type Output struct {
	h       *Handler
	p       *consume.Partition
	blocked func(reason string) // is told why nothing can be written; "" that it can

	order outbox.Sequence
	sent  []*outbox.Write // in flight or answered
	again []*outbox.Write // failed, to be written again in this order
	dead  []*dlq.Entry
	held  int // bytes

	wait  *backoff.ExponentialBackOff // nil: nothing has failed yet
	until time.Time                   // nothing is written again before
	grace <-chan time.Time            // set once the assignment has ended
}

// Output returns an empty output of a partition.
func (h *Handler) Output(p *consume.Partition) *Output { return &Output{h: h, p: p, blocked: p.Hold} }

// Send begins to write an outbox record.
func (o *Output) Send(e *envelope.Envelope) *outbox.Write {
	w := o.h.p.Outboxes.Send(&o.order, e)
	o.sent = append(o.sent, w)
	o.Hold(w.Size())
	return w
}

// entrySize is what a dead letter takes beside its source's record, in bytes.
const entrySize = 1 << 10

// DeadLetter adds a dead letter, which Step writes.
func (o *Output) DeadLetter(e *dlq.Entry) {
	o.dead = append(o.dead, e)
	o.Hold(entrySize)
}

// Hold counts n more bytes until everything is acknowledged.
func (o *Output) Hold(n int) {
	o.held += n
	o.p.Charge(n)
}

// maxHeld is how many bytes an output may hold before it is settled, and one
// record's alerts more.
const maxHeld = 4 << 20

// Full reports whether the output is to be settled before more is added.
func (o *Output) Full() bool { return o.held > maxHeld }

// Settle waits until everything is acknowledged. False means that ctx, which is
// the assignment's, ended first.
func (o *Output) Settle(ctx context.Context) bool {
	for !o.Step(ctx) {
		if !o.await(ctx) {
			o.abandon()
			return false
		}
	}
	return true
}

// Step does what can be done without waiting for an answer, and reports whether
// everything is acknowledged. What has failed is written again, in order, once
// all promises are in. After ctx has ended nothing is written again.
func (o *Output) Step(ctx context.Context) bool {
	for {
		switch {
		case o.unanswered() != nil, time.Now().Before(o.until):
			return false
		case len(o.sent) > 0 && len(o.again) == 0:
			o.takeAnswers()
		case len(o.again) == 0 && len(o.dead) == 0:
			o.end()
			return true
		case ctx.Err() != nil:
			return false
		case len(o.again) > 0:
			o.sendAgain(ctx)
		default:
			o.writeDead(ctx)
		}
	}
}

// unanswered returns the first write that is in flight; nil: there is none.
func (o *Output) unanswered() *outbox.Write {
	for _, w := range o.sent {
		select {
		case <-w.Answered():
		default:
			return w
		}
	}
	return nil
}

// takeAnswers keeps what has failed, to be written again after a backoff. Brokers
// refuse whole batches for their size: what was refused is written once more,
// alone, and becomes a dead letter if it is refused again.
func (o *Output) takeAnswers() {
	o.h.p.Outboxes.LogOvertaken(o.sent)
	for _, w := range o.sent {
		switch tooLarge := dlq.TooLarge(w.Err()); {
		case w.Err() == nil:
		case tooLarge && w.Alone:
			o.tooLarge(w)
		default:
			w.Alone = w.Alone || tooLarge
			o.again = append(o.again, w)
		}
	}
	o.sent = nil
	o.order.Restart()
	if i := slices.IndexFunc(o.again, func(w *outbox.Write) bool { return !dlq.TooLarge(w.Err()) && !errors.Is(w.Err(), outbox.ErrBehind) }); i >= 0 {
		o.blocked(fmt.Sprintf("outbox topic %s cannot be written (%s)", o.again[i].Record.Topic, brief(o.again[i].Err())))
		o.backOff()
	}
}

// sendAgain writes the next of what has failed: one that has to be alone, or all
// before the next such.
func (o *Output) sendAgain(ctx context.Context) {
	n := slices.IndexFunc(o.again, func(w *outbox.Write) bool { return w.Alone })
	switch n {
	case -1:
		n = len(o.again)
	case 0:
		n = 1
	}
	o.h.p.Outboxes.Recover(ctx, o.again[:n])
	for _, w := range o.again[:n] {
		o.h.p.Outboxes.SendAgain(&o.order, w)
	}
	o.sent = append(o.sent, o.again[:n]...)
	o.again = o.again[n:]
}

// writeDead writes the dead letters.
func (o *Output) writeDead(ctx context.Context) {
	if err := o.h.p.Dead.Write(ctx, o.dead...); err != nil {
		if ctx.Err() != nil { // it says nothing of the topic
			return
		}
		topic := topics.DeadLetter(o.h.p.Group, topics.Name(o.dead[0].Envelope.Source.Topic))
		o.blocked(fmt.Sprintf("dead-letter topic %s cannot be written (%s): is it missing? run 'notifier topics check'", topic, brief(err)))
		o.backOff()
		return
	}
	for _, e := range o.dead {
		s := e.Envelope.Source
		o.h.log.Warn("dead letter", append([]any{
			"topic", s.Topic, "partition", s.Partition, "offset", s.Offset, "entry", e.ID,
			"reason", e.Reason, "cause", e.Cause, "detail", e.Detail,
		}, tracing.Log(e.Envelope.Trace)...)...)
	}
	o.dead = nil
}

// tooLarge makes a dead letter of an alert that its outbox does not take. The
// alert itself is bounded, so it is the event, or an outbox with a low limit.
func (o *Output) tooLarge(w *outbox.Write) {
	w.GiveUp(outcome.AlertTooLarge)
	o.DeadLetter(dlq.Failed(w.Envelope.Delivery, w.Envelope, dlq.Failure{
		Cause: outcome.AlertTooLarge, First: time.Now(),
		Detail: fmt.Sprintf("the alert does not fit into %s (%d bytes of event): raise its max.message.bytes", w.Record.Topic, len(w.Envelope.Event())),
	}, o.h.p.MaxReplays))
}

// slowAfter is how long an acknowledgement may take before people are told.
const slowAfter = 5 * time.Second

// await waits until Step can continue; false means that ctx has ended. What is in
// flight then is awaited for a moment longer: what is acknowledged in it need not
// be written again by the next owner.
func (o *Output) await(ctx context.Context) bool {
	w := o.unanswered()
	if w == nil {
		return sleep(ctx, time.Until(o.until))
	}
	ended := ctx.Done()
	if ctx.Err() != nil {
		ended = nil
		if o.grace == nil {
			o.grace = time.After(consume.RevokeGrace - 100*time.Millisecond)
		}
	}
	slow := time.NewTimer(slowAfter)
	defer slow.Stop()
	select {
	case <-w.Answered():
	case <-ended:
	case <-slow.C:
		o.blocked(fmt.Sprintf("outbox topic %s does not acknowledge: is it missing? run 'notifier topics check'", w.Record.Topic))
		o.h.p.Outboxes.Refresh(ctx, w.Record.Topic)
	case <-o.grace:
		return false
	}
	return true
}

// end gives back what the output held.
func (o *Output) end() {
	if o.held > 0 {
		o.p.Charge(-o.held)
		o.held = 0
		o.blocked("")
	}
}

// abandon ends an output that is not acknowledged: the next owner does it again.
func (o *Output) abandon() {
	for _, w := range append(o.sent, o.again...) {
		w.GiveUp(outcome.Abandoned)
	}
	o.end()
}

func (o *Output) backOff() {
	if o.wait == nil {
		o.wait = newBackoff()
	}
	o.until = time.Now().Add(o.wait.NextBackOff())
}

// newBackoff returns the delays between two tries. They are not random, so that
// a schedule can be repeated.
func newBackoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(250*time.Millisecond), backoff.WithMultiplier(2), backoff.WithRandomizationFactor(0),
		backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
}

// sleep waits for d and reports whether ctx was still alive then.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// brief is an error in a few words: Kafka's own code where there is one.
func brief(err error) string {
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return ke.Message
	}
	return err.Error()
}
