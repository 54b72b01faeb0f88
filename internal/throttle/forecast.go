package throttle

import (
	"math"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
)

// NewForecast returns throttles that forget nothing, to try out what would be told.
func NewForecast(by string, grouped bool) *Set {
	return &Set{sweepIn: math.MaxInt, By: by, Grouped: grouped}
}

// Follows reports whether an alert will be suppressed, and opens its throttle if it will not.
// before has what was told already.
func (t *Set) Follows(e *envelope.Envelope, before *Set, at Place) bool {
	if known := before.Of(e.Alert); known != nil && t.Of(e.Alert) == nil {
		first := *known
		first.Through, first.traces = Positions{}, nil
		t.Put(&first, first.until)
	}
	if e.Alert.State == alert.Resolved {
		if !t.Ends(e.Alert, at) {
			return true
		}
		t.Ended(e.Alert, e.Delivery, at, e.Alert.EventTime)
		return false
	}
	if e.Alert.Reminder > 0 {
		return false
	}
	if t.Suppress(e.Alert, e.Delivery, at) {
		return true
	}
	t.Sent(e.Alert, e.Delivery, "", at, e.Alert.EventTime)
	return false
}
