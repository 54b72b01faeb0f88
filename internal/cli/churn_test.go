package cli

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestDaemonsComeAndGoUnderLoad is the churn of internal/endtoend with whole
// daemons and, on a real cluster, the real coordinator.
func TestDaemonsComeAndGoUnderLoad(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	const keys, perKey = 10, 60
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range perKey {
			for k := range keys {
				c.Produce(alerting(topics.TradeExecutions, fmt.Sprint("k", k), k*perKey+n, 1)...)
			}
		}
	}()
	running := []*testDaemon{start(t, dir)}
	for round := range 5 {
		running = append(running, launch(t, dir))
		got(t, hook, (round+1)*keys*perKey/8, 60*time.Second)
		if code := running[0].stop(); code != base.ExitDone {
			t.Fatalf("stopped with %d", code)
		}
		running = running[1:]
	}
	<-done
	list := got(t, hook, keys*perKey, 60*time.Second)
	settled(t, c)
	seen := make(map[int][]int) // the first arrivals of each key
	for _, n := range list {
		if k := n / perKey; !slices.Contains(seen[k], n) {
			seen[k] = append(seen[k], n)
		}
	}
	for k, order := range seen {
		if !slices.IsSorted(order) {
			t.Errorf("the alerts of key %d came out of order: %v", k, order)
		}
	}
	if n := len(clitest.DeadLetters(t, c)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	t.Logf("%d repeats", len(list)-keys*perKey)
}
