package cli

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// noCommits has a group's commits fail until the returned function is called:
// what the daemon does then is lost with it, as in a crash.
func noCommits(c *testkafka.Cluster, group string) (allow func()) {
	return c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: group, Err: kerr.CoordinatorLoadInProgress, Count: -1}).Remove
}

// TestLateDeliveryResolvesDeadLetter: the
// next owner sends it again, and now it is taken.
func TestLateDeliveryResolvesDeadLetter(t *testing.T) {
	alongside(t)
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to refuse commits")
		return
	}
	c := testkafka.Start(t, one("hook", 1))
	hook := webhooktest.Start(t, "", refuses)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	d := start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "k", fine, 1)...) // something to commit, so that there is a former owner
	got(t, hook, 1, 20*time.Second)
	settled(t, c)
	allow := noCommits(c, topics.OutboxGroup(c.Group))
	c.Produce(bad("k", 0, 1)...)
	become(t, c, map[dlq.State]int{dlq.Open: 1})
	d.stop()
	allow()
	hook.SetAnswer(nil)
	start(t, dir)
	become(t, c, map[dlq.State]int{dlq.Resolved: 1})
	settled(t, c)
	if n := len(distinctDeliveries(t, hook)); n != 3 {
		t.Errorf("%d deliveries", n)
	}
}

// TestKnownResendAfterCrashIsDelivered: the receiver remembers webhook-id and answers
// known ones with 409. Alerts that it has are no dead letters.
func TestKnownResendAfterCrashIsDelivered(t *testing.T) {
	alongside(t)
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to refuse commits")
		return
	}
	c := testkafka.Start(t, one("hook", 1))
	var mu sync.Mutex
	known := make(map[string]bool)
	hook := webhooktest.Start(t, "", func(_ int, r webhooktest.Request) webhooktest.Answer {
		mu.Lock()
		defer mu.Unlock()
		id := r.Header.Get("webhook-id")
		if known[id] {
			return webhooktest.Answer{Status: 409}
		}
		known[id] = true
		return webhooktest.Answer{}
	})
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	d := start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "k", 0, 1)...)
	got(t, hook, 1, 20*time.Second)
	settled(t, c)
	allow := noCommits(c, topics.OutboxGroup(c.Group))
	c.Produce(alerting(topics.TradeExecutions, "k", 1, 5)...)
	got(t, hook, 6, 20*time.Second)
	d.stop()
	allow()
	start(t, dir)
	settled(t, c)
	if posts := hook.Requests(); len(posts) != 11 {
		t.Errorf("%d posts, want each of five alerts twice", len(posts))
	}
	become(t, c, map[dlq.State]int{})
}

// TestLostCommitDoesNotRepeatReplay: its tombstone says that it was
// delivered, although the outbox's offset does not.
func TestLostCommitDoesNotRepeatReplay(t *testing.T) {
	alongside(t)
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to refuse commits")
		return
	}
	c := testkafka.Start(t, one("hook", 1))
	hook := webhooktest.Start(t, "", refuses)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	d := start(t, dir)
	c.Produce(bad("k", 0, 5)...)
	become(t, c, map[dlq.State]int{dlq.Open: 5})
	settled(t, c)
	hook.SetAnswer(nil)
	for i, group := range []string{c.Group, topics.OutboxGroup(c.Group)} {
		allow := noCommits(c, group)
		ask(t, c, requests(clitest.DeadLetters(t, c)[:2], nil)...)
		become(t, c, map[dlq.State]int{dlq.Resolved: 2 * (i + 1), dlq.Open: 3 - 2*i})
		d.stop()
		allow()
		d = start(t, dir)
		settled(t, c)
		if n := len(again(t, hook)); n != 2*(i+1) {
			t.Errorf("%s: %d posts of %d replays", group, n, 2*(i+1))
		}
	}
	become(t, c, map[dlq.State]int{dlq.Resolved: 4, dlq.Open: 1})
}

func distinctDeliveries(t testing.TB, s *webhooktest.Server) map[string]bool {
	t.Helper()
	ids := make(map[string]bool)
	for _, r := range s.Requests() {
		ids[alertOf(t, r).Delivery] = true
	}
	return ids
}
