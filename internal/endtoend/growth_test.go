//go:build synctests

package endtoend

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/topics"
)

// A backlog that was written to one partition is sent before what is written to the
// new ones, key by key: each daemon restarts once they are there.
func TestOutboxThatGrowsKeepsOrderOfKeys(t *testing.T) { synctest.Test(t, outboxGrows) }

func outboxGrows(t *testing.T) {
	s := newSeverities(t, 1, dispatch.Pace{Rate: 4, Burst: 1})
	defer s.close()
	raise, stopWriter := s.writer()
	for range 20 {
		raise(100, "stale", alert.Warning, time.Hour)
		raise(20, "noted", alert.Info, time.Hour)
	}
	raise(20, "rare", alert.Warning, time.Hour) // behind more than a window
	first := s.owner()
	time.Sleep(10 * time.Second)
	first.stop()
	stopWriter()
	if _, err := s.admin.UpdatePartitions(s.ctx, 3, topics.Outbox(group, "desk")); err != nil {
		t.Fatal(err)
	}
	raise, stopWriter = s.writer()
	defer stopWriter()
	second := s.owner()
	defer second.stop()
	for range 5 {
		for _, rule := range []string{"stale", "rare"} {
			raise(10, rule, alert.Warning, 2*time.Hour) // of older events than what waits
		}
		raise(20, "noted", alert.Info, 2*time.Hour)
		raise(20, "halted", alert.Critical, 0)
		time.Sleep(time.Second)
	}
	time.Sleep(30 * time.Minute)
	s.check(nil)
	raise(1, "stale", alert.Warning, 0)
	ends, err := s.admin.ListEndOffsets(s.ctx, topics.Outbox(group, "desk"))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range []int64{2420 + 100, 101, 100} {
		if o, _ := ends.Lookup(topics.Outbox(group, "desk"), int32(id)); o.Offset != want {
			t.Errorf("%d alerts were written to partition %d, want %d", o.Offset, id, want)
		}
	}
}
