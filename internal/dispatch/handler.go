package dispatch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/repeat"
)

// Handler is a consume.Handler for outbox partitions: it drops repeats and
// hands each delivery to its channel's Outbox.
type Handler struct {
	outboxes map[string]*Outbox // by topic
	log      *slog.Logger
}

// NewHandler returns the handler of these outboxes, by outbox topic.
func NewHandler(outboxes map[string]*Outbox, log *slog.Logger) *Handler {
	return &Handler{outboxes: outboxes, log: log.With("component", "deliver")}
}

// Handle takes in the deliveries of one partition until it is revoked, then
// waits for the attempts in flight.
func (h *Handler) Handle(ctx context.Context, p *consume.Partition) {
	o := h.outboxes[p.Topic]
	s := &source{partition: p}
	o.join(s)
	p.OnCommit(o.wake)
	seen := p.Marks()
	for {
		records, err := p.Next(ctx)
		if err != nil {
			break
		}
		for _, r := range records {
			h.take(o, s, seen, r)
		}
	}
	<-o.leave(s)
}

// take takes in one record of an outbox.
func (h *Handler) take(o *Outbox, s *source, seen *repeat.Marks, r *kgo.Record) {
	e, _, err := envelope.Parse(r)
	if err == nil && (e.Alert == nil || e.Delivery == "") {
		err = errNoAlert
	}
	if err != nil {
		o.metrics.foreign()
		h.log.Error("skipped a record that is not ours", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "err", err)
		s.partition.Settle(s.partition.Begin(r, repeat.Write{}))
		return
	}
	entry := s.partition.Begin(r, e.From)
	if seen.Observe(e.From) {
		o.metrics.repeated()
		s.partition.Settle(entry)
		return
	}
	own(e)
	o.add(s, &delivery{envelope: e, entry: entry, laneKey: bytes.Clone(r.Key), received: time.Now()})
}

var errNoAlert = errors.New("it carries no alert")

// own copies what outlives a poll: kgo's slices share the decompressed batch.
func own(e *envelope.Envelope) {
	s := &e.Source
	s.Key, s.Value = bytes.Clone(s.Key), bytes.Clone(s.Value)
	headers := make([]kgo.RecordHeader, len(s.Headers))
	for i, h := range s.Headers {
		headers[i] = kgo.RecordHeader{Key: h.Key, Value: bytes.Clone(h.Value)}
	}
	s.Headers = headers
}

func (s *source) holdFor(reason string) {
	if s.partition != nil {
		s.partition.Hold(reason)
	}
}
