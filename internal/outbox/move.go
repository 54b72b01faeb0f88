package outbox

import (
	"context"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

// slowAfter is how long an acknowledgement may take before Put calls slow.
const slowAfter = 5 * time.Second

// Put writes outbox records, in order, and returns for each of them whether it
// is acknowledged; ctx ends the waiting, and what is not known then counts as
// not acknowledged. One that is refused for its size was alone in its batch.
// While a topic does not answer for long it calls slow. Where a topic was
// recreated, the next call writes to the new one.
func (p *Producer) Put(ctx context.Context, list []*envelope.Envelope, slow func(topic string)) []error {
	var sequence Sequence
	writes := make([]*Write, len(list))
	for i, e := range list {
		writes[i] = p.Send(&sequence, e)
	}
	tick := time.NewTicker(slowAfter)
	defer tick.Stop()
	wait := func(w *Write) error {
		for {
			select {
			case <-w.answered:
				return w.err
			case <-tick.C:
				slow(w.Record.Topic)
				p.Refresh(ctx, w.Record.Topic)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	errs := make([]error, len(list))
	for i, w := range writes {
		errs[i] = wait(w)
	}
	if ctx.Err() == nil {
		p.LogOvertaken(writes)
	}
	var failed []*Write
	for i, w := range writes {
		if dlq.TooLarge(errs[i]) {
			sequence.Restart()
			p.SendAgain(&sequence, w)
			errs[i] = wait(w)
		}
		if errs[i] != nil {
			w.GiveUp(outcome.WriteFailed)
			failed = append(failed, w)
		}
	}
	if ctx.Err() == nil { // else one may be without an answer
		p.Recover(ctx, failed)
	}
	return errs
}
