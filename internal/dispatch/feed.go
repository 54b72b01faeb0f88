package dispatch

import (
	"sync/atomic"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/instant"
	"github.com/algotrade/notifier/internal/offsets"
)

// Feed is a partition of an outbox without a topic: a simulation puts deliveries into it,
// which arrive with that. It is never revoked, has no former owner, and all that is settled
// counts as committed.
type Feed struct {
	dispatcher *Dispatcher
	source     *source
	window     *Window
	open       *offsets.Tracker
	bytes      int // of what is open
	next       int64
}

// Window is what the process holds of its outboxes, all of which are fed. What gathers
// does not use more than half of it.
type Window struct {
	Deliveries int // unsettled, of one partition
	Bytes      int // of the unsettled deliveries of all: see consume.OutboxSize

	used  atomic.Int64
	feeds int
}

// Feed adds a partition that a simulation fills.
func (o *Dispatcher) Feed(partition int32, w *Window) *Feed {
	f := &Feed{dispatcher: o, window: w, open: offsets.NewTracker(offsets.Position{}, new(offsets.Dedup))}
	f.source = &source{feed: f, input: offsets.Input{Topic: o.p.Name, Partition: partition}}
	w.feeds++
	o.join(f.source)
	return f
}

// Add takes in a delivery that arrives now, behind those before it, with the key of its
// record and what that takes of the window.
func (f *Feed) Add(e *envelope.Envelope, key []byte, size int) {
	o, at := f.dispatcher, offsets.Position{Offset: f.next}
	f.next++
	now := o.now()
	if t := instant.First(now, e.Alert.EventTime); !t.Equal(e.Alert.EventTime) {
		a := *e.Alert
		a.EventTime, e.Alert = t, &a
	}
	o.mu.Lock()
	entry := f.open.Begin(at, size, now, offsets.Origin{})
	f.bytes += size
	f.window.used.Add(int64(size))
	o.mu.Unlock()
	o.add(f.source, &delivery{envelope: e, entry: entry, laneKey: key, at: at, received: now, stored: now})
}

func (f *Feed) settle(e *offsets.Entry) {
	if e.Settled() {
		return
	}
	f.open.Settle(e)
	f.bytes -= e.Size()
	f.window.used.Add(-int64(e.Size()))
}

// crowded is Crowded of a consume.Partition.
func (f *Feed) crowded() bool {
	w := f.window
	return 2*f.open.Unsettled() > w.Deliveries || 2*f.bytes > w.Bytes/w.feeds && 2*int(w.used.Load()) > w.Bytes || 4*f.open.Gaps() > 3*offsets.MaxGaps
}

// holds is Holds of a consume.Partition.
func (f *Feed) holds(e *offsets.Entry) bool {
	return f.open.Gaps() < offsets.MaxGaps || !f.open.Splits(e)
}
