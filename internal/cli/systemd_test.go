package cli

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/sdnotify/sdnotifytest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestSystemdReceivesDaemonState goes through a life: ready when both groups
// have its members and not before, alive, a channel that is suspended, a stop.
func TestSystemdReceivesDaemonState(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer { return webhooktest.Answer{Status: 410} })
	m := sdnotifytest.Listen(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "400000")
	d := launch(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	m.Wait("STATUS=starting: checking the cluster", "EXTEND_TIMEOUT_USEC=30000000")
	m.Wait("READY=1")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	groups, err := c.Admin.DescribeGroups(ctx, c.Group, topics.OutboxGroup(c.Group))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if len(g.Members) != 1 {
			t.Errorf("it is ready, and %s has %d members (%s)", g.Group, len(g.Members), g.State)
		}
	}
	partitions := int32(0)
	for _, shape := range c.Shapes(one("hook", 2)) {
		if shape.Role != kafka.RoleDeadLetter && shape.Role != kafka.RoleDeliveries && shape.Role != kafka.RoleState {
			partitions += shape.Partitions
		}
	}
	ready := fmt.Sprintf("STATUS=ready: %d partitions, 1 channel", partitions)
	testkafka.Eventually(t, 20*time.Second, "it says what it does", func() bool { return m.Count(ready) > 0 })
	m.Wait("WATCHDOG=1")
	d.running()
	if status, body := d.get("/livez"); status != http.StatusOK {
		t.Errorf("the watchdog is served, and /livez says %d %s", status, body)
	}
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 1)...)
	m.Wait(ready + ", hook suspended")
	if code := d.stop(); code != base.ExitDone {
		t.Errorf("it ends with %d", code)
	}
	m.Wait("STOPPING=1", "STATUS=stopping: deliveries in flight may take 20s")
}

func TestSystemdReceivesStartError(t *testing.T) {
	m := sdnotifytest.Listen(t, filepath.Join(t.TempDir(), "notify"))
	c := testkafka.Start(t, one("hook", 1))
	dir := files(t, c, hookChannel("hook", "http://127.0.0.1:1"), fmt.Sprintf(every, "hook"))
	d := launch(t, dir, "--brokers", "127.0.0.1:1", "--wait", "1s")
	m.Wait("STATUS=starting: checking the cluster", "EXTEND_TIMEOUT_USEC=31000000")
	m.Wait("STATUS=starting: waiting for the brokers: …", "EXTEND_TIMEOUT_USEC=31000000")
	m.Wait("STATUS=failed: …")
	d.err.Wait(t, 10*time.Second, "notifier: ")
	if m.Count("READY=1") > 0 {
		t.Errorf("got %q", m.Messages())
	}
}
