//go:build real

package cli

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestRestartedStaticDaemonsFollowTheirChannels restarts two static members within
// their session timeout, one with SIGTERM and one with SIGKILL. One channel of their
// configuration is kept, one is removed and one is added.
func TestRestartedStaticDaemonsFollowTheirChannels(t *testing.T) {
	c := testkafka.Bare(t)
	hooks := make(map[string]*webhooktest.Server)
	for _, name := range []string{"kept", "removed", "added"} {
		hooks[name] = webhooktest.Start(t, "", nil)
	}
	config := func(names ...string) string {
		channels := ""
		for _, name := range names {
			channels += hookChannel(name, hooks[name].URL)
		}
		return filepath.Join(files(t, c, channels, fmt.Sprintf(every, strings.Join(names, ", "))), "notifier.yaml")
	}
	const partitions, within = 2, 30 * time.Second
	outbox := func(name string) string { return topics.Outbox(c.Group, name) }
	// assigned waits until the members have all partitions of these outboxes, and none of another.
	assigned := func(names ...string) {
		t.Helper()
		testkafka.Eventually(t, within, "the outboxes of "+strings.Join(names, " and ")+" are assigned", func() bool {
			groups, err := c.Admin.DescribeGroups(context.Background(), topics.OutboxGroup(c.Group))
			group := groups[topics.OutboxGroup(c.Group)]
			if err != nil || group.State != "Stable" || len(group.Members) != 2 {
				return false
			}
			of := group.AssignedPartitions()
			for _, name := range []string{"kept", "removed", "added"} {
				if want := slices.Contains(names, name); want && len(of[outbox(name)]) != partitions || !want && len(of[outbox(name)]) > 0 {
					return false
				}
			}
			return true
		})
	}
	member := func(i int, file string) *process {
		t.Setenv("KAFKA_GROUP_INSTANCE_ID", fmt.Sprintf("member-%d-%s", i, c.Group))
		p := spawn(t, "run", "-c", file)
		p.err.Wait(t, within, `"msg":"running"`)
		return p
	}
	before, after := config("kept", "removed"), config("kept", "added")
	for _, file := range []string{before, after} {
		testkafka.Eventually(t, time.Minute, "the topics are created", func() bool { // a busy broker takes its time
			return clitest.Main(Run).Local(t, "topics", "create", "--partitions", "2", "-c", file).Code == 0
		})
	}
	members := []*process{member(0, before), member(1, before)}
	assigned("kept", "removed")
	const alerts = 50
	publish := func(first int, names ...string) {
		t.Helper()
		c.Produce(alerting(topics.TradeExecutions, "", first, alerts)...)
		for _, name := range names {
			got(t, hooks[name], alerts+first, within)
		}
		settled(t, c)
	}
	publish(0, "kept", "removed")

	for i, signal := range slices.Backward([]syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}) { // the group's leader last
		_ = members[i].Process.Signal(signal)
		_ = members[i].Wait()
		members[i] = member(i, after)
	}
	assigned("kept", "added")
	publish(alerts, "kept")
	got(t, hooks["added"], alerts, within)
	if n := len(hooks["removed"].Requests()); n != alerts {
		t.Errorf("%d requests of the removed channel, want the first %d", n, alerts)
	}
	for i, p := range members {
		if err := cmp.Or(p.Process.Signal(syscall.SIGTERM), p.Wait()); err != nil {
			t.Errorf("member %d ended: %v", i, err)
		}
		if log := p.err.String(); strings.Contains(log, "panic") {
			t.Errorf("member %d panicked:\n%s", i, log)
		}
	}
}
