package throttle

import (
	"fmt"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

// TestEndedEpisodesAreBounded, and open ones are not evicted by throttles.
func TestEndedEpisodesAreBounded(t *testing.T) {
	var ts Set
	now := time.Now()
	evicted := 0
	ts.Evicted = func() { evicted++ }
	open := &alert.Alert{Rule: "r", Key: []string{"open"}, Clears: true, Severity: alert.Warning, EventTime: now}
	ts.Sent(open, "told", "", at(0), now)
	for i := range Max {
		ts.Sent(throttledBy(time.Hour, fmt.Sprint(i)), "told", "", at(0), now)
	}
	clear := *open
	clear.State = alert.Resolved
	if !ts.Ends(&clear, at(1)) || evicted != 1 {
		t.Errorf("the open episode was evicted, with %d others", evicted)
	}
	for i := range maxFiring {
		a := *open
		a.Key = []string{fmt.Sprint("open ", i)}
		ts.Sent(&a, "told", "", at(0), now)
	}
	if ts.Ends(&clear, at(1)) || ts.firing.Len() != maxFiring || len(ts.byKey) != Max {
		t.Errorf("%d are open of %d", ts.firing.Len(), len(ts.byKey))
	}
}
