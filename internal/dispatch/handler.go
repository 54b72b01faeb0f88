package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/instant"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/replay"
)

// Handler is a consume.Handler for outbox partitions: it drops duplicates and
// hands each delivery to its channel's Dispatcher.
type Handler struct {
	p   HandlerParams
	log *slog.Logger
}

// HandlerParams is what a Handler needs.
type HandlerParams struct {
	Outboxes map[string]*Dispatcher // by topic
	Dead     Log
	// Moves returns a channel that is closed once it is known what is by now to be
	// sent elsewhere; nil: nothing is. What a former owner has moved must not be
	// sent here, however long this process has been running.
	Moves  func() <-chan struct{}
	Logger *slog.Logger
}

// Log reads dead-letter topics.
type Log interface {
	// LastOffsets returns below which offset the versions of each of these keys do
	// not count any longer, of those that have a record at or behind an offset.
	LastOffsets(ctx context.Context, topic string, from int64, keys []string) (map[string]int64, error)
}

// NewHandler returns the handler of these outboxes.
func NewHandler(p HandlerParams) *Handler {
	return &Handler{p: p, log: p.Logger.With("component", "dispatch")}
}

// Handle takes in the deliveries of one partition until it is revoked, then
// waits for the attempts in flight.
func (h *Handler) Handle(ctx context.Context, p *consume.Partition) {
	a := h.Assign(p)
	h.awaitMoves(ctx)
	a.awaitLower(ctx)
	for {
		records, err := p.Next(ctx)
		if err != nil || !a.Take(ctx, records) {
			break
		}
	}
	<-a.Leave()
}

// awaitMoves waits until the requests to move alerts are known. Alerts go out
// without them, so it does not wait for long.
func (h *Handler) awaitMoves(ctx context.Context) {
	if h.p.Moves == nil {
		return
	}
	slow := time.NewTimer(movesWithin)
	defer slow.Stop()
	select {
	case <-h.p.Moves():
	case <-slow.C:
		h.log.Warn("requests to move alerts are not known yet, continuing without them", "waited", movesWithin)
	case <-ctx.Done():
	}
}

const movesWithin = 10 * time.Second

// Assignment is one partition in the hands of its channel's Dispatcher.
type Assignment struct {
	handler *Handler
	outbox  *Dispatcher
	source  *source
	dedup   *offsets.Dedup
}

// Assign gives a partition to its channel's Dispatcher.
func (h *Handler) Assign(p *consume.Partition) *Assignment {
	a := &Assignment{handler: h, outbox: h.p.Outboxes[p.Topic], source: &source{partition: p, input: p.Input()}, dedup: p.Dedup()}
	a.outbox.join(a.source)
	p.OnCommit(func() { a.outbox.committed(a.source) })
	return a
}

// Take takes in the records that follow, in the order of the log; false means
// that ctx ended first.
func (a *Assignment) Take(ctx context.Context, records []*kgo.Record) bool {
	p := a.source.partition
	batch := make([]arrival, len(records))
	for i, r := range records {
		batch[i] = parse(r, a.outbox.p.Name, p.Present(r), a.outbox.now())
	}
	if !a.handler.lookUp(ctx, p, batch) {
		return false
	}
	for i := range batch {
		a.handler.take(a.outbox, a.source, a.dedup, &batch[i])
	}
	return true
}

// Leave drops pending deliveries and returns a channel that is closed when the attempts
// in flight are done.
func (a *Assignment) Leave() <-chan struct{} { return a.outbox.leave(a.source) }

// arrival is one record of an outbox.
type arrival struct {
	record     *kgo.Record
	envelope   *envelope.Envelope
	err        error
	present    bool // it was there before this owner
	superseded bool // it is a replay whose entry has a later record
}

// replays reports whether it is a dead letter that is sent again.
func (a *arrival) replays() bool { return a.err == nil && a.envelope.Resolves() }

// parse reads a record of a channel's outbox. Anybody who may write to the
// topic may have made it: an alert whose time is implausible is one of the
// moment at which its record was written.
func parse(r *kgo.Record, channel string, present bool, now time.Time) arrival {
	a := arrival{record: r, present: present}
	switch a.envelope, _, a.err = envelope.Parse(r); {
	case a.err != nil:
	case a.envelope.Alert == nil:
		a.err = errNoAlert
	case a.envelope.Channel != channel:
		a.err = fmt.Errorf("it is for the channel %.64q", a.envelope.Channel)
	default:
		alert := a.envelope.Alert
		alert.EventTime = instant.First(now, alert.EventTime, r.Timestamp)
	}
	return a
}

// lookUp finds the replays that are superseded: a former owner ended them and
// could not commit that, or dead-lettered the delivery again after the replay
// was asked for. They are not sent. It is asked until it is known; false means
// that ctx ended first.
func (h *Handler) lookUp(ctx context.Context, p *consume.Partition, batch []arrival) bool {
	replays := make(map[string][]*arrival) // by dead-letter topic
	for i := range batch {
		if a := &batch[i]; a.present && a.replays() {
			topic := h.p.Outboxes[p.Topic].deadLetterTopic(a.envelope)
			replays[topic] = append(replays[topic], a)
		}
	}
	wait := newBackoff(DefaultRetry())
	for topic, of := range replays {
		from, entries := of[0].envelope.Replay.Version, make([]string, len(of))
		for i, a := range of {
			from, entries[i] = min(from, a.envelope.Replay.Version), a.envelope.Delivery
		}
		for {
			last, err := h.p.Dead.LastOffsets(ctx, topic, from, entries)
			if err == nil {
				for _, a := range of {
					offset, found := last[a.envelope.Delivery]
					a.superseded = found && replay.Superseded(a.envelope.Replay.Version, offset)
				}
				break
			}
			p.Hold("dead letters cannot be read")
			h.log.Warn("dead letters cannot be read", "topic", topic, "err", err)
			select {
			case <-time.After(wait.NextBackOff()):
			case <-ctx.Done():
				return false
			}
		}
		p.Hold("")
	}
	return true
}

// take takes in one record.
func (h *Handler) take(o *Dispatcher, s *source, dedup *offsets.Dedup, a *arrival) {
	r, e, err := a.record, a.envelope, a.err
	if err != nil {
		o.metrics.foreign()
		h.log.Error("skipped a record that is not ours", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "err", err)
		s.partition.Settle(s.partition.Begin(r, offsets.Origin{}))
		return
	}
	entry := s.partition.Begin(r, e.From)
	duplicate := dedup.Seen(e.From)
	if s.partition.Finished(r) { // by a former owner, behind one that it did not finish
		s.partition.Settle(entry)
		return
	}
	if duplicate || a.superseded {
		o.metrics.duplicate()
		s.partition.Settle(entry)
		return
	}
	own(e)
	former, now := entry.Tried(), o.now()
	o.add(s, &delivery{
		envelope: e, entry: entry, laneKey: bytes.Clone(r.Key), at: offsets.Position{Epoch: r.LeaderEpoch, Offset: r.Offset}, received: now, stored: instant.First(now, r.Timestamp),
		attempts: former.Attempts, firstTried: former.First, mayBeDuplicate: former.Maybe || e.MayBeDuplicate, inherited: former.Maybe, delivered: deliveredBefore(e),
		former: former.Attempts,
	})
}

var errNoAlert = errors.New("it carries no alert")

func deliveredBefore(e *envelope.Envelope) []string {
	if e.Replay == nil {
		return nil
	}
	return e.Replay.Delivered
}

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
