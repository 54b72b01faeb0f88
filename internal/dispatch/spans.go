package dispatch

import (
	"log/slog"

	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// begin begins the delivery's span, from when it was taken out of its topic.
// It is made only when something is done, so that pending deliveries hold none.
// others are the traces that its message speaks for as well.
func (o *Dispatcher) begin(l *lane, d *delivery, others []string) {
	if d.span != nil {
		return
	}
	e := d.envelope
	r := tracing.Record{Topic: topics.Outbox(o.p.Group, o.p.Name), Offset: d.at.Offset, Group: topics.OutboxGroup(o.p.Group), Size: len(e.Source.Value)}
	if l.source.partition != nil {
		r.Partition = l.source.partition.ID
	}
	d.span = o.p.Tracer.Deliver(r, e.Trace, e.Source.Headers, d.received, others)
	d.span.Set(slog.String("channel", o.p.Name), slog.String("delivery", e.Delivery), slog.String("alert", e.Alert.ID),
		slog.String("rule", e.Alert.Rule), slog.String("severity", string(e.Alert.Severity)))
	if e.Replay != nil {
		d.span.Set(slog.Int("replay", e.Replay.Number))
	}
	e.Trace = d.span.Traceparent()
}

// end ends the delivery and its members, and their spans with what became of them.
func (d *delivery) end(how string) {
	d.ended = true
	for _, m := range d.members {
		m.end(how)
	}
	if d.span == nil {
		return
	}
	d.span.Set(slog.String("outcome", how), slog.Int("attempts", d.tries))
	if d.dead != nil {
		d.span.Set(slog.String("reason", string(d.dead.Reason)))
		d.span.Fail(string(d.dead.Cause))
	}
	d.span.End()
}

// decided is how a delivery ends whose end is to be written.
func (d *delivery) decided() string {
	if d.dead != nil {
		return deadLettered
	}
	return delivered
}

// tellAttempt ends an attempt's span with its result.
func tellAttempt(span *tracing.Span, err error) {
	span.Set(slog.String("result", resultOf(err)))
	if err != nil {
		span.Fail(string(outcome.Classify(err).Cause))
	}
	span.End()
}
