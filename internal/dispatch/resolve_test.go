package dispatch

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestEvaluatedAgainDoesNotEndALaterEpisode: the outbox holds no resolved alert of an event
// that came when its key was resolved already.
func TestEvaluatedAgainDoesNotEndALaterEpisode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var topic stateTopic
		b := topic.process(t, 0, nil)
		earlier := time.Now()
		pass(time.Hour)
		b.put("fires", "A", fires)
		pass(time.Second)
		again := func(id string, at time.Time) {
			d := b.delivery(id, "A")
			clears(d.envelope.Alert)
			d.envelope.Alert.EventTime, d.envelope.MayBeDuplicate = at, true
			b.end++
			d.at.Offset = b.end
			b.add(b.src, d)
			pass(2 * saveEvery)
		}
		again("before", earlier)
		if got := fmt.Sprint(b.ch.ids()); got != "[fires]" || b.left() != 0 {
			t.Fatalf("sent %s, %d left", got, b.left())
		}
		again("after", time.Now())
		if got := fmt.Sprint(b.ch.ids()); got != "[fires after]" || b.left() != 0 {
			t.Errorf("sent %s, %d left", got, b.left())
		}
	})
}
