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

// TestEpisodeRecordOmitsTimeOfPut: it is of this process alone.
func TestEpisodeRecordOmitsTimeOfPut(t *testing.T) {
	now := time.Now()
	a := &alert.Alert{Rule: "r", Key: []string{"A"}, Clears: true, Severity: alert.Warning, EventTime: now}
	var before, after Set
	for _, ts := range []*Set{&before, &after} {
		ts.Sent(a, "told", "", at(0), now)
	}
	after.Of(a).Episode.Put = now
	if x, y := before.Record(KeyOf(a), "desk").Value, after.Record(KeyOf(a), "desk").Value; string(x) != string(y) {
		t.Errorf("the record of\n%s becomes\n%s", x, y)
	}
}
