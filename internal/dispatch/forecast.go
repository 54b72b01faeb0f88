package dispatch

import "github.com/algotrade/notifier/internal/throttle"

// throttledAhead returns how many of the deliveries that this process holds will not be sent,
// but counted by a message of their rule and key, or end nothing, if all others are sent in their order.
func (o *Dispatcher) throttledAhead() (n int) {
	ahead := throttle.NewForecast("", o.throttles.Grouped)
	for _, l := range o.lanes.byKey {
		for _, d := range l.queue {
			if d.throttles() && ahead.Follows(d.envelope, &o.throttles, turn{o, l, d}.place()) {
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
