package ingest

import (
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/outcome"
)

// oversized makes one dead letter of a batch that is too large to be unpacked: a
// pointer to its source, which is its first offset.
func (b *batch) oversized(r *kgo.Record, o consume.Oversized) {
	b.urgent = true
	src := b.source(r)
	src.Offset, src.Value = o.First, []byte{}
	span := b.span(r)
	defer span.End()
	span.Set(slog.String("outcome", "dead_lettered"))
	span.Fail(string(outcome.BatchTooLarge))
	e := dlq.Failed(alert.NewEntry(b.h.p.Group, b.identity(src)), &envelope.Envelope{Source: src, Trace: span.Traceparent()},
		dlq.Failure{Cause: outcome.BatchTooLarge, Detail: o.String(), First: time.Now()}, b.h.p.MaxReplays)
	e.Pointer = true
	b.dead = append(b.dead, e)
	b.hold(entrySize)
}
