package outbox

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/topics"
)

// History knows which deliveries the outboxes hold: sent ones too, until retention
// deletes them, but not those that dispatch drops because their events had been handled
// before. It reads an outbox when it is asked about it first. It is safe for concurrent
// use.
type History struct {
	reader *dlq.Reader
	log    *slog.Logger
	seed   maphash.Seed

	mu     sync.Mutex // guards the map only
	topics map[string]*held
}

// held is what one outbox holds.
type held struct {
	turn  chan struct{} // size 1: guards what follows
	since time.Time     // what was written from then on is known; zero: nothing
	lost  time.Time     // what was written before may have been deleted; zero: nothing was
	ids   map[uint64]struct{}
}

// NewHistory returns the history of the reader's group.
func NewHistory(reader *dlq.Reader, log *slog.Logger) *History {
	return &History{reader: reader, log: log.With("component", "ingest"), seed: maphash.MakeSeed(), topics: make(map[string]*held)}
}

// Look reports whether the outbox of a channel holds a delivery of a source record of
// a time; if it does not, whether it may have held it once. What is written while the
// process runs may be missing. It waits for reading.
func (h *History) Look(ctx context.Context, channel, delivery string, at time.Time) (holds, held bool, err error) {
	topic := topics.Outbox(h.reader.Group(), channel)
	t := h.topic(topic)
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return false, false, ctx.Err()
	}
	// Producers' clocks may be ahead of ours by a day. Whole days, so that the outbox is
	// not read again for each record that is older than those before it.
	if since := at.Add(-day).Truncate(day); t.since.IsZero() || since.Before(t.since) {
		if err := h.read(ctx, topic, t, since); err != nil {
			return false, false, fmt.Errorf("read %s: %w", topic, err)
		}
	}
	_, holds = t.ids[maphash.String(h.seed, delivery)]
	return holds, !holds && at.Before(t.lost), nil
}

const day = 24 * time.Hour

func (h *History) topic(name string) *held {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[name]
	if t == nil {
		t = &held{turn: make(chan struct{}, 1)}
		h.topics[name] = t
	}
	return t
}

// read takes in what was written to a topic since a time.
func (h *History) read(ctx context.Context, topic string, t *held, since time.Time) error {
	begun := time.Now()
	spans, err := h.reader.Spans(ctx, topic)
	if err != nil {
		return err
	}
	firsts, err := h.reader.Admin().ListOffsetsAfterMilli(ctx, max(0, since.UnixMilli()), topic)
	if err == nil {
		err = firsts.Error()
	}
	if err != nil {
		return err
	}
	var lost time.Time
	ids := make(map[uint64]struct{})
	for _, s := range spans {
		first, _ := firsts.Lookup(s.Topic, s.Partition)
		if at := lostBefore(s, first, begun); at.After(lost) {
			lost = at
		}
		s.Start = max(s.Start, first.Offset)
		dedup := &offsets.Dedup{} // what says that an event was handled is written after the event
		if err := h.reader.Scan(ctx, s, func(r *kgo.Record) bool {
			if e, _, err := envelope.Open(r); err == nil && !dedup.Seen(e.From) {
				ids[maphash.String(h.seed, e.Delivery)] = struct{}{}
			}
			return true
		}); err != nil {
			return err
		}
	}
	t.since, t.lost, t.ids = since, lost, ids
	h.log.Info("outbox read, the alerts in it are not raised again", "topic", topic, "since", since, "alerts", len(ids), "duration", time.Since(begun))
	return nil
}

// lostBefore returns up to when records of a partition may have been deleted; zero:
// none was. first is the first record since some time.
func lostBefore(s dlq.Span, first kadm.ListedOffset, now time.Time) time.Time {
	switch {
	case s.Start == 0, first.Offset > s.Start: // or there is an older one
		return time.Time{}
	case first.Timestamp < 0: // there is none
		return now
	}
	return time.UnixMilli(first.Timestamp)
}
