package dispatch

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/offsets"
)

// TestDrawnDigestsLeaveNothing: whatever the channel answers, and while rules are suspended
// and some alerts are moved: no lane and no count is left in the end, or when the partition
// is left, and the delivery log has one record of each alert.
func TestDrawnDigestsLeaveNothing(t *testing.T) {
	for seed := range uint64(*schedules) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			f := &fate{rnd: rand.New(rand.NewPCG(seed, 8)), fail: true, told: make(map[string]int), order: make(map[string]int)}
			b, s := newBench(t, func(c *Config) { collapsing(c); c.Digest.Own.MaxItems = 100 }), &shelf{}
			defer b.close()
			log := &logged{}
			b.p.Outboxes, b.p.Deliveries = s, log
			b.src.input = offsets.Input{Topic: "id", Partition: 2}
			b.ch.set(f.answer)
			const n = 120
			for i := range n {
				rule, severity := fmt.Sprint("rule ", rnd.IntN(2)), []alert.Severity{alert.Info, alert.Warning, alert.Critical}[rnd.IntN(9)/4]
				venue, throttle, expire := fmt.Sprint(rule, " venue ", rnd.IntN(8)), time.Duration(rnd.IntN(2))*time.Minute, time.Duration(rnd.IntN(2))*3*time.Minute
				b.put(fmt.Sprint("dl_", i), fmt.Sprint(i%30), func(a *alert.Alert) {
					a.ID, a.Rule, a.Severity, a.Group, a.Throttle, a.Expire = fmt.Sprint(i), rule, severity, []string{venue}, throttle, expire
				})
				pass(time.Duration(rnd.IntN(2000)) * time.Millisecond)
				switch rnd.IntN(40) {
				case 0:
					b.suspendRule(rule)
				case 1:
					b.Move(moveBelow(b.end-int64(rnd.IntN(20)), "mail"))
				}
			}
			leave := seed%3 == 0
			if leave {
				left := b.leave(b.src)
				log.answer(nil)
				<-left
				b.src.asideRecords = 0 // nobody asks a partition that was left
			} else {
				f.mu.Lock()
				f.fail = false
				f.mu.Unlock()
				pass(6 * time.Hour)
			}
			log.answer(nil)
			if b.left() != 0 || len(b.lanes.byKey) != 0 || b.lanes.asides != 0 || b.src.ending != 0 || b.src.inFlight != 0 {
				t.Errorf("seed %d: %d left in %d lanes, %d aside, %d ending, %d in flight", seed, b.left(), len(b.lanes.byKey), b.lanes.asides, b.src.ending, b.src.inFlight)
			}
			for _, w := range f.wrong {
				t.Errorf("seed %d: %s", seed, w)
			}
			for i := range n {
				if records := log.of(fmt.Sprint("dl_", i)); len(records) != 1 && !(leave && len(records) == 0) {
					t.Errorf("seed %d: %d records of dl_%d", seed, len(records), i)
				}
			}
		})
	}
}
