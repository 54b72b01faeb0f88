package ingest

import (
	"context"
	"time"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

// Has reports whether there is such a channel.
func (o *Outboxes) Has(channel string) bool { return o.has(channel) }

// Put writes outbox records, in order, and returns for each of them whether it
// is acknowledged; ctx ends the waiting, and what is not known then counts as
// not acknowledged. One that is refused for its size was alone in its batch.
// While a topic does not answer for long it calls slow, and looks whether the
// topic was recreated.
func (o *Outboxes) Put(ctx context.Context, list []*envelope.Envelope, slow func(topic string)) []error {
	writes := make([]*write, len(list))
	for i, e := range list {
		writes[i] = o.start(e)
	}
	tick := time.NewTicker(holdAfter)
	defer tick.Stop()
	wait := func(w *write) error {
		for {
			select {
			case <-w.done:
				return w.err
			case <-tick.C:
				slow(w.record.Topic)
				o.refresh(ctx, w.record.Topic)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	errs := make([]error, len(list))
	for i, w := range writes {
		errs[i] = wait(w)
	}
	failed := ""
	for i, w := range writes {
		if dlq.TooLarge(errs[i]) {
			o.produce(w)
			errs[i] = wait(w)
		}
		if errs[i] != nil {
			w.span.Fail(string(outcome.WriteFailed))
			w.span.End()
			failed = w.record.Topic
		}
	}
	if failed != "" && ctx.Err() == nil {
		o.refresh(ctx, failed)
	}
	return errs
}
