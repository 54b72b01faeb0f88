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
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/outcome"
)

// settle waits until everything the batch raised is acknowledged, and reports
// whether it is; false means that ctx ended first. What fails is done again
// for ever, with backoff: the partition is held, and says so.
func (b *batch) settle(ctx context.Context) bool {
	if len(b.writes) == 0 && len(b.dead) == 0 {
		return true
	}
	defer b.p.Hold("")
	defer func() { b.p.Charge(-b.held) }()
	if b.settleWrites(ctx) && b.settleDead(ctx) {
		return true
	}
	for _, w := range b.writes {
		w.GiveUp(outcome.Abandoned)
	}
	return false
}

// settleWrites awaits every outbox record. When some failed it waits for all,
// then produces those that are not acknowledged again, in order. One that was
// refused for its size is produced alone, since brokers refuse whole batches; one
// that was alone becomes a dead letter.
func (b *batch) settleWrites(ctx context.Context) bool {
	wait := newBackoff()
	for {
		failed, ok := b.await(ctx, b.writes...)
		if !ok {
			return false
		}
		b.writes = b.writes[:0]
		for _, w := range failed {
			if dlq.TooLarge(w.Err()) && w.Alone {
				b.tooLarge(w)
				continue
			}
			w.Alone = w.Alone || dlq.TooLarge(w.Err())
			b.writes = append(b.writes, w)
		}
		if len(b.writes) == 0 {
			return true
		}
		if i := slices.IndexFunc(b.writes, func(w *outbox.Write) bool { return !dlq.TooLarge(w.Err()) }); i >= 0 {
			b.p.Hold(fmt.Sprintf("outbox topic %s cannot be written (%s)", b.writes[i].Record.Topic, brief(b.writes[i].Err())))
			if !sleep(ctx, wait.NextBackOff()) {
				return false
			}
		}
		b.h.p.Outboxes.Recover(ctx, b.writes)
		for _, w := range b.writes {
			b.h.p.Outboxes.SendAgain(w)
			if w.Alone {
				if _, ok := b.await(ctx, w); !ok {
					return false
				}
			}
		}
	}
}

// await waits for the promises of writes and returns those that failed. While it
// waits for long it says so, and looks whether an outbox topic was recreated.
// After a revoke it gives what is in flight a moment: what is acknowledged in
// it need not be written again by the next owner.
func (b *batch) await(ctx context.Context, writes ...*outbox.Write) (failed []*outbox.Write, ok bool) {
	slow := time.NewTicker(holdAfter)
	defer slow.Stop()
	ended, grace := ctx.Done(), (<-chan time.Time)(nil)
	for _, w := range writes {
	waiting:
		for {
			select {
			case <-w.Answered():
				break waiting
			case <-slow.C:
				b.p.Hold(fmt.Sprintf("outbox topic %s does not acknowledge: is it missing? run 'notifier topics check'", w.Record.Topic))
				b.h.p.Outboxes.Refresh(ctx, w.Record.Topic)
			case <-ended:
				ended, grace = nil, time.After(consume.RevokeGrace-100*time.Millisecond)
			case <-grace:
				return nil, false
			}
		}
		if w.Err() != nil {
			failed = append(failed, w)
		}
	}
	return failed, true
}

// settleDead writes the batch's dead letters.
func (b *batch) settleDead(ctx context.Context) bool {
	wait := newBackoff()
	for len(b.dead) > 0 {
		err := b.h.p.Dead.Write(ctx, b.dead...)
		if err == nil {
			for _, e := range b.dead {
				s := e.Envelope.Source
				b.h.log.Warn("dead letter", append([]any{
					"topic", s.Topic, "partition", s.Partition, "offset", s.Offset, "entry", e.ID,
					"reason", e.Reason, "cause", e.Cause, "detail", e.Detail,
				}, tracing.Log(e.Envelope.Trace)...)...)
			}
			break
		}
		if ctx.Err() != nil {
			return false
		}
		topic := b.h.p.Dead.Topic(b.dead[0])
		b.p.Hold(fmt.Sprintf("dead-letter topic %s cannot be written (%s): is it missing? run 'notifier topics check'", topic, brief(err)))
		if !sleep(ctx, wait.NextBackOff()) {
			return false
		}
	}
	return true
}

// tooLarge makes a dead letter of an alert that its outbox does not take. The
// alert itself is bounded, so it is the event, or an outbox with a low limit.
func (b *batch) tooLarge(w *outbox.Write) {
	w.GiveUp(outcome.AlertTooLarge)
	b.dead = append(b.dead, dlq.Failed(w.Envelope.Delivery, w.Envelope, dlq.Failure{
		Cause: outcome.AlertTooLarge, First: time.Now(),
		Detail: fmt.Sprintf("the alert does not fit into %s (%d bytes of event): raise its max.message.bytes", w.Record.Topic, len(w.Envelope.Event())),
	}, b.h.p.MaxReplays))
}

// holdAfter is how long an acknowledgement may take before people are told.
const holdAfter = 5 * time.Second

func newBackoff() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(250*time.Millisecond), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
}

// sleep waits for d and reports whether ctx was still alive then.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// brief is an error in a few words: Kafka's own code where there is one.
func brief(err error) string {
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return ke.Message
	}
	return err.Error()
}
