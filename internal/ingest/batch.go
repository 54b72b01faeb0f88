package ingest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/rule"
)

// maxBatch is how long a batch is matched before what is done of it is committed:
// records that take a second each are not done again from the first one, whenever
// the process ends.
const maxBatch = 500 * time.Millisecond

// Batch is the records that Next has handed out, on their way: all are matched,
// what they raise is produced as it is found, and its acknowledgements are awaited
// at the end. A batch without alerts waits for nothing. One that raises more than
// maxHeld or half of Params.Uncommitted, or takes longer than maxBatch, is settled
// in parts. It is for one goroutine.
type Batch struct {
	h     *Handler
	p     *consume.Partition
	count *topicMetrics
	input offsets.Input // the partition, as outbox records name it
	again time.Time     // records from before may have been handled once: see unsent; zero: none
	out   Output
	known *rule.Resolved

	missing *event.SchemaMissing // the schema that the next record needs; nil: none

	records []*kgo.Record // not matched yet; nil once Handled has been called
	last    int64         // the offset that was matched last

	// of the part that is not settled
	done          offsets.Position // below this the partition was committed when it began
	until         *kgo.Record      // matched last
	raised        int              // deliveries and dead letters
	first, latest time.Time        // when the first and the latest record was matched
}

// Begin begins a batch of records that Next has handed out. A record that
// processes died of becomes a dead letter. known is what the assignment knows to be
// resolved; nil: nothing.
func (h *Handler) Begin(p *consume.Partition, records []*kgo.Record, known *rule.Resolved) *Batch {
	b := &Batch{
		h: h, p: p, count: h.metrics.topic(p.Topic), input: p.Input(), out: Output{h: h, p: p, blocked: p.Hold}, known: known,
		records: records, last: records[0].Offset - 1, done: p.Committed(),
	}
	if at := b.input.Again(); !at.IsZero() {
		b.again = at.Add(clockAhead)
	}
	if r := records[0]; p.Crashes(r) { // it was handed out alone
		b.count.deadLettered.Inc()
		b.deadLetter(r, outcome.Errorf(outcome.Crashes, "processes died while they handled this record: it is not handled again"))
		b.records, b.until, b.last = records[1:], r, r.Offset
	}
	return b
}

// Step does what can be done without waiting for an answer, and reports whether
// the batch is settled. When ctx, which is the assignment's, has ended, no more
// records are matched, and nothing is written again. Only to know what was sent of
// events that are evaluated again it waits.
func (b *Batch) Step(ctx context.Context) bool {
	for {
		if b.until == nil && b.crowded() && ctx.Err() == nil {
			return false
		}
		b.match(ctx)
		if !b.out.Step(ctx) {
			return false
		}
		if b.until == nil { // ctx ended first, or a schema is missing
			return b.missing == nil || ctx.Err() != nil
		}
		if b.records == nil {
			b.p.Advance(b.until, b.raised)
			return true
		}
		b.p.AdvanceTo(offsets.Position{Epoch: b.until.LeaderEpoch, Offset: b.until.Offset + 1}, b.raised)
		b.done, b.until, b.raised, b.first, b.latest = b.p.Committed(), nil, 0, time.Time{}, time.Time{}
	}
}

// match matches records until what they have raised is to be settled.
func (b *Batch) match(ctx context.Context) {
	b.missing = nil
	for len(b.records) > 0 && !b.full() && ctx.Err() == nil {
		r := b.records[0]
		if !b.record(ctx, r) {
			break
		}
		b.records, b.until, b.last = b.records[1:], r, r.Offset
	}
	if ctx.Err() != nil {
		b.records = b.records[:0]
	}
	if b.records != nil && len(b.records) == 0 {
		b.records = nil
		b.p.Handled(b.last)
	}
}

// full reports whether the batch is to be settled before it continues.
func (b *Batch) full() bool {
	most := b.h.p.Uncommitted
	return b.out.Full() || most > 0 && 2*b.raised >= most || b.latest.Sub(b.first) > maxBatch
}

// crowded reports whether a commit has to come before more is matched: a part is
// half of what may be uncommitted.
func (b *Batch) crowded() bool {
	most := b.h.p.Uncommitted
	return most > 0 && 2*b.p.Uncommitted() > most
}

// await waits until Step has something to do; false means that the assignment has
// ended and the batch is given up. committed hears of each commit.
func (b *Batch) await(ctx context.Context, committed <-chan struct{}) bool {
	if b.until == nil && b.crowded() && ctx.Err() == nil {
		select {
		case <-committed:
		case <-ctx.Done():
		}
		return true
	}
	if b.until == nil && b.missing != nil && ctx.Err() == nil {
		b.p.Handled(b.last)
		b.h.fetch(ctx, b.missing.ID, b.p.Hold)
		b.p.Resume(ctx, b.records)
		return true
	}
	return b.out.await(ctx)
}

// abandon ends a batch that is not settled.
func (b *Batch) abandon() {
	b.p.Handled(b.last)
	b.out.abandon()
}

// record handles one record; a quiet one costs decoding and matching only. False
// means that ctx ended first, or that a schema is missing.
func (b *Batch) record(ctx context.Context, r *kgo.Record) bool {
	if o, ok := consume.OversizedOf(r); ok {
		b.count.deadLettered.Inc()
		b.oversized(r, o)
		return true
	}
	b.latest = time.Now()
	if b.first.IsZero() {
		b.first = b.latest
	}
	alerts, err := b.h.match(r, b.latest, b.latest, b.known)
	switch {
	case errors.Is(err, event.ErrTombstone):
		b.count.skipped.Inc()
	case errors.As(err, &b.missing):
		return false
	case err != nil:
		b.count.deadLettered.Inc()
		b.deadLetter(r, err)
	case len(alerts) == 0:
		b.count.ignored.Inc()
	default:
		return b.raise(ctx, r, alerts)
	}
	return true
}

// raise produces one outbox record per alert and channel; false means that ctx ended
// first.
func (b *Batch) raise(ctx context.Context, r *kgo.Record, alerts []alert.Alert) bool {
	src := b.source(r)
	id := b.h.Identity(src)
	for i := range alerts {
		b.h.identify(&alerts[i], id)
	}
	fires := slices.ContainsFunc(alerts, func(a alert.Alert) bool { return a.State == alert.Firing })
	var doubtful map[string]bool
	if r.Timestamp.Before(b.again) {
		var ok bool
		if alerts, doubtful, ok = b.unsent(ctx, r, alerts); !ok {
			return false
		}
	}
	if fires {
		b.count.alerted.Inc()
	} else {
		b.count.cleared.Inc()
	}
	if len(alerts) == 0 {
		return true
	}
	span := b.span(r)
	defer span.End()
	// The alert's own texts: those of the event share all its memory.
	span.Set(slog.String("event", alerts[0].EventID), slog.String("event_type", alerts[0].EventType), slog.String("outcome", "alerted"), slog.Int("alerts", len(alerts)))
	for i := range alerts {
		a := &alerts[i]
		b.h.count(a)
		b.raised += len(a.Channels)
		for _, channel := range a.Channels {
			e := &envelope.Envelope{Source: src, Alert: a.In(channel), Channel: channel, Delivery: alert.NewDelivery(a.ID, channel), Trace: span.Traceparent()}
			e.MayBeDuplicate = doubtful[e.Delivery]
			if len(a.Channels) > 1 {
				e.Channels = a.Channels
			}
			e.From = offsets.Origin{
				Input:    b.input,
				From:     offsets.Position{Epoch: r.LeaderEpoch, Offset: r.Offset},
				Done:     b.done,
				Delivery: e.Delivery,
			}
			b.out.Send(e)
		}
	}
	return true
}

// deadLetter makes a dead letter of a record that could not be matched.
func (b *Batch) deadLetter(r *kgo.Record, err error) {
	failure := outcome.Classify(err)
	b.fail(r, b.source(r), dlq.Failure{Cause: failure.Cause, Detail: failure.Detail, Rule: failure.Rule})
}

// oversized makes one dead letter of a batch that is too large to be unpacked: a
// pointer to its source, which is its first offset.
func (b *Batch) oversized(r *kgo.Record, o consume.Oversized) {
	src := b.source(r)
	src.Offset, src.Value = o.First, []byte{}
	b.fail(r, src, dlq.Failure{Cause: outcome.BatchTooLarge, Detail: o.String()}).Pointer = true
}

func (b *Batch) fail(r *kgo.Record, src envelope.Source, f dlq.Failure) *dlq.Entry {
	b.raised++
	span := b.span(r)
	defer span.End()
	span.Set(slog.String("outcome", "dead_lettered"))
	span.Fail(string(f.Cause))
	f.First = time.Now()
	e := dlq.Failed(alert.NewEntry(b.h.p.Group, b.h.Identity(src)), &envelope.Envelope{Source: src, Trace: span.Traceparent()}, f, b.h.p.MaxReplays)
	b.out.DeadLetter(e)
	return e
}

// span begins the span of a record that something comes of.
func (b *Batch) span(r *kgo.Record) *tracing.Span {
	return b.h.p.Tracer.Process(tracing.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Group: b.h.p.Group, Size: len(r.Value)}, r.Headers)
}

func (b *Batch) source(r *kgo.Record) envelope.Source {
	return envelope.Source{
		Topic: r.Topic, TopicID: b.p.TopicID(), Partition: r.Partition, Offset: r.Offset,
		Time: r.Timestamp, Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
}
