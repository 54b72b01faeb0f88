package dispatch

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestMessagesCarryZoneOfRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		defer b.close()
		eastern := time.FixedZone("EST", -5*60*60)
		b.UseZone(eastern)
		b.put("a1", "A")
		synctest.Wait()
		b.UseZone(nil)
		b.put("a2", "A")
		synctest.Wait()
		if sends := b.ch.all(); len(sends) != 2 || sends[0].m.Location() != eastern || sends[1].m.Location() != time.UTC {
			t.Errorf("sent %+v", sends)
		}
	})
}
