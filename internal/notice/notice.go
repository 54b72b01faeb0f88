// Package notice sends notices: alerts of the notifier itself, which no event has raised,
// such as that a channel is suspended. A notice is a delivery in a channel's outbox like
// any other, with the same guarantees, but it is never gathered, throttled or silenced, and
// becomes no dead letter. Start reading at Sender.Send.
package notice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
)

// Outboxes puts deliveries into channels' outboxes.
type Outboxes interface {
	// Has reports whether there is such a channel.
	Has(channel string) bool
	// Put returns, once that is known, for each of them whether it is acknowledged.
	Put(ctx context.Context, list []*envelope.Envelope, slow func(topic string)) []error
}

// Sender sends notices. It is safe for concurrent use.
type Sender struct{ outboxes Outboxes }

// New returns a sender.
func New(outboxes Outboxes) *Sender { return &Sender{outboxes} }

// ID returns the id of a notice: the same for what it says and when that began, however
// often and by whichever process of the group it is sent.
func ID(group, what string, began time.Time) string {
	return alert.NewID(group, alert.Source{Topic: what, Offset: began.UnixMilli()}, alert.Notifier)
}

// remembered is for how long an outbox knows the id of a notice at least: one that is sent
// again in this time is a duplicate, and dropped.
const remembered = 6 * time.Hour

// ErrNoChannel is returned by Send for a channel that is not configured.
var ErrNoChannel = errors.New("no such channel")

// Send puts a notice into a channel's outbox and returns once all in-sync replicas have it.
// After an error it may be there or not: send it again with the same id. The alert has an
// id, see ID, a key, a severity and a title; Send sets its rule and topic, and the present
// as its time if it has none.
func (s *Sender) Send(ctx context.Context, channel string, a alert.Alert) error {
	if !s.outboxes.Has(channel) {
		return fmt.Errorf("%w: %s", ErrNoChannel, channel)
	}
	now := time.Now()
	a.Rule, a.Topic, a.Throttle, a.Expire = alert.Notifier, alert.Notifier, 0, 0
	if a.EventTime.IsZero() {
		a.EventTime = now
	}
	a.Bound()
	e := &envelope.Envelope{
		// The key is the lane: what is said of one thing is said in order.
		Source:   envelope.Source{Topic: alert.Notifier, Time: now, Key: []byte(alert.Notifier + "/" + a.KeyText())},
		Alert:    &a,
		Channel:  channel,
		Delivery: alert.NewDelivery(a.ID, channel),
	}
	e.From = origin(e.Delivery, now)
	if err := s.outboxes.Put(ctx, []*envelope.Envelope{e}, func(string) {})[0]; err != nil {
		return fmt.Errorf("write to the outbox of %s: %w", channel, err)
	}
	return nil
}

// origin tells dedup apart what was sent twice. Notices are made of no record, so their
// input is one whose offsets are times, in milliseconds: what is older than remembered
// counts as committed, and the ids from there on are kept.
func origin(delivery string, now time.Time) offsets.Origin {
	return offsets.Origin{
		Input:    offsets.Input{Topic: alert.Notifier},
		From:     offsets.Position{Epoch: -1, Offset: now.UnixMilli()},
		Done:     offsets.Position{Epoch: -1, Offset: now.Add(-remembered).UnixMilli()},
		Delivery: delivery,
	}
}
