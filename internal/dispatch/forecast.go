package dispatch

import (
	"math"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
)

// throttledAhead returns how many of the deliveries that this process holds will not be sent,
// but counted by a message of their rule and key, or end nothing, if all others are sent in their order.
func (o *Dispatcher) throttledAhead() (n int) {
	ahead := throttles{sweepIn: math.MaxInt, grouped: o.throttles.grouped}
	for _, l := range o.lanes.byKey {
		for _, d := range l.queue {
			if d.throttles() && ahead.follows(d.envelope, &o.throttles, place{l.source.input.Topic, l.source.input.Partition, d.at.Offset}) {
				n++
			}
		}
	}
	return n
}

// throttles reports whether the delivery has its turn in a throttle still before it.
func (d *delivery) throttles() bool {
	a := d.envelope.Alert
	return (a.Throttle > 0 || a.Clears) && d.envelope.Replay == nil && d.attempts == 0 && d.firstTried.IsZero() && d.recipients == nil && len(d.refused) == 0
}

// follows reports whether an alert will be suppressed, and opens its throttle if it will not.
// before has what was told already.
func (t *throttles) follows(e *envelope.Envelope, before *throttles, at place) bool {
	if known := before.of(e.Alert); known != nil && t.of(e.Alert) == nil {
		first := *known
		first.through, first.traces = positions{}, nil
		t.put(&first, first.until)
	}
	if e.Alert.State == alert.Resolved {
		if !t.ends(e.Alert, at) {
			return true
		}
		t.ended(e.Alert, e.Delivery, at, e.Alert.EventTime)
		return false
	}
	if e.Alert.Reminder > 0 {
		return false
	}
	if t.suppress(e.Alert, e.Delivery, at) {
		return true
	}
	t.sent(e.Alert, e.Delivery, "", at, e.Alert.EventTime)
	return false
}
