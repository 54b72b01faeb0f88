package ingest

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outbox"
)

// Write writes what replays lead to and returns the outbox records, in the order
// of the deliveries, once all is acknowledged; false means that ctx ended first.
// An alert that does not fit becomes a dead letter. blocked is told why nothing can
// be written; "" that it can.
func (h *Handler) Write(ctx context.Context, p *consume.Partition, deliveries []*envelope.Envelope, dead []*dlq.Entry, blocked func(reason string)) ([]*kgo.Record, bool) {
	out := &Output{h: h, p: p, blocked: blocked}
	writes := make([]*outbox.Write, len(deliveries))
	for i, e := range deliveries {
		writes[i] = out.Send(e)
	}
	for _, e := range dead {
		out.DeadLetter(e)
	}
	if !out.Settle(ctx) {
		return nil, false
	}
	written := make([]*kgo.Record, len(writes))
	for i, w := range writes {
		written[i] = w.Record
	}
	return written, true
}
