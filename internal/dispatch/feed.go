package dispatch

import (
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
	open       *offsets.Tracker
	next       int64 // offset
	window     int   // deliveries
}

// Feed adds a partition that a simulation fills. window is how many unsettled deliveries
// the daemon would hold of it: see kafka.Window. What gathers does not use more than half
// of that.
func (o *Dispatcher) Feed(partition int32, window int) *Feed {
	f := &Feed{dispatcher: o, open: offsets.NewTracker(offsets.Position{}, new(offsets.Dedup)), window: window}
	f.source = &source{feed: f, input: offsets.Input{Topic: o.p.Name, Partition: partition}}
	o.join(f.source)
	return f
}

// Add takes in a delivery that arrives now, behind those before it. lane is its record's
// key: see outbox.Lane.
func (f *Feed) Add(e *envelope.Envelope, lane []byte) {
	o, at := f.dispatcher, offsets.Position{Offset: f.next}
	f.next++
	now := o.now()
	if t := instant.First(now, e.Alert.EventTime); !t.Equal(e.Alert.EventTime) {
		a := *e.Alert
		a.EventTime, e.Alert = t, &a
	}
	o.mu.Lock()
	entry := f.open.Begin(at, 0, now, offsets.Origin{})
	o.mu.Unlock()
	o.add(f.source, &delivery{envelope: e, entry: entry, laneKey: lane, at: at, received: now, stored: now})
}

// crowded is consume.Partition's Crowded, but for the bytes.
func (f *Feed) crowded() bool {
	return 2*f.open.Unsettled() > f.window || 4*f.open.Gaps() > 3*offsets.MaxGaps
}

// holds is consume.Partition's Holds.
func (f *Feed) holds(e *offsets.Entry) bool {
	return f.open.Gaps() < offsets.MaxGaps || !f.open.Splits(e)
}
