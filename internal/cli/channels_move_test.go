package cli

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// revoked responds as a provider whose webhook was revoked.
func revoked(int, webhooktest.Request) webhooktest.Answer { return webhooktest.Answer{Status: 410} }

var (
	oldAndNew  = []kafka.Channel{{Name: "old", Partitions: 2}, {Name: "new", Partitions: 1}}
	moveToNew  = []string{"channels", "move", "old", "new", "--yes"}
	newAndMore = fmt.Sprintf(every, "new")
)

// moveIn runs 'channels move' with the configuration in a directory.
func moveIn(t testing.TB, c *testkafka.Cluster, dir string, args ...string) clitest.Answer {
	t.Helper()
	return command(t, c, append(append([]string{}, args...), "-c", dir+"/notifier.yaml")...)
}

// keyed returns alerting records of a few keys, numbered in order.
func keyed(n, keys int) []*kgo.Record {
	var records []*kgo.Record
	for i := range n {
		records = append(records, alerting(topics.TradeExecutions, fmt.Sprintf("k%d", i%keys), i, 1)...)
	}
	return records
}

// inOrder holds that each key's alerts came in order, each once.
func inOrder(t testing.TB, s *webhooktest.Server, n, keys int) {
	t.Helper()
	list := numbers(t, s.Requests())
	if len(list) != n || distinct(list) != n {
		t.Errorf("%d posts of %d alerts, want %d", len(list), distinct(list), n)
	}
	for k := range keys {
		var of []int
		for _, i := range list {
			if i%keys == k {
				of = append(of, i)
			}
		}
		if !slices.IsSorted(of) {
			t.Errorf("k%d came as %v", k, of)
		}
	}
}

func waitForLag(t testing.TB, c *testkafka.Cluster, channel string, n int64) {
	t.Helper()
	testkafka.Eventually(t, 20*time.Second, fmt.Sprintf("%d alerts wait for %s", n, channel), func() bool {
		return end(t, c, topics.Outbox(c.Group, channel)) == n
	})
}

// seen has commands find the daemon, as they do by its configuration where the
// port is not the test's own.
func (d *testDaemon) seen(t *testing.T) {
	t.Helper()
	t.Setenv("NOTIFIER_HTTP_LISTEN", strings.TrimPrefix(d.http, "http://"))
}

// TestMoveWhileDaemonRuns is the night on which chat is down and
// mail has to do.
func TestMoveWhileDaemonRuns(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "old", Partitions: 1}, {Name: "new", Partitions: 2}})
	down, up := webhooktest.Start(t, "", revoked), webhooktest.Start(t, "", nil)
	dir := files(t, c, fmt.Sprintf("  old: {webhook: {url: %q}, partitions: 1}\n", down.URL)+hookChannel("new", up.URL), fmt.Sprintf(every, "old"))
	d := start(t, dir)
	const n, keys = 500, 7
	c.Produce(keyed(n, keys)...)
	waitForLag(t, c, "old", n)
	before := end(t, c, topics.Replay(c.Group))
	moveIn(t, c, dir, "channels", "move", "old", "new", "--dry-run").Want(t, base.ExitDone, "500 alerts wait for old, the oldest for", "dry run: nothing was done")
	if end(t, c, topics.Replay(c.Group)) != before {
		t.Error("a dry run asked for it")
	}
	moveIn(t, c, dir, moveToNew...).Want(t, base.ExitDone, "500 alerts moved")
	got(t, up, n, 30*time.Second)
	inOrder(t, up, n, keys)
	settled(t, c)
	if got := d.metric(`notifier_deliveries_total{channel="old",outcome="rerouted"}`); got != fmt.Sprint(n) {
		t.Errorf("%s were counted as rerouted", got)
	}
	for _, r := range up.Requests() {
		if !strings.HasPrefix(r.Header.Get("webhook-id"), "dl_") {
			t.Fatalf("an id of a moved delivery is %q", r.Header.Get("webhook-id"))
		}
	}
	moveIn(t, c, dir, moveToNew...).Want(t, base.ExitDone, "no alerts wait for old")
	// What comes later is the old channel's own.
	c.Produce(alerting(topics.TradeExecutions, "k0", n, 1)...)
	waitForLag(t, c, "old", n+1)
	down.SetAnswer(nil)
	// The request is settled, so that no later owner finds it.
	testkafka.Eventually(t, 20*time.Second, "the request is settled", func() bool { return c.Lag(c.Group) == 0 })
	if n := len(clitest.DeadLetters(t, c)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// TestMoveDuringCrashMovesEachAlertOnce: what was put into the other
// outbox and not committed is put there again by the next owner, and known.
func TestMoveDuringCrashMovesEachAlertOnce(t *testing.T) {
	alongside(t)
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to refuse commits")
		return
	}
	c := testkafka.Start(t, oldAndNew)
	down, up := webhooktest.Start(t, "", revoked), webhooktest.Start(t, "", revoked)
	dir := files(t, c, hookChannel("old", down.URL)+fmt.Sprintf("  new: {webhook: {url: %q}, partitions: 1}\n", up.URL), fmt.Sprintf(every, "old"))
	d := start(t, dir)
	const n, keys = 300, 5
	c.Produce(keyed(1, 1)...) // something to commit, so that there is a former owner
	testkafka.Eventually(t, 20*time.Second, "one waits", func() bool { return c.Lag(topics.OutboxGroup(c.Group)) == 1 })
	c.Produce(keyed(n, keys)[1:]...)
	testkafka.Eventually(t, 20*time.Second, "they wait", func() bool { return c.Lag(topics.OutboxGroup(c.Group)) == n })
	allow := noCommits(c, topics.OutboxGroup(c.Group))
	moveIn(t, c, dir, append(moveToNew, "--no-wait")...).Want(t, base.ExitDone, "requested: the notifier moves them")
	testkafka.Eventually(t, 20*time.Second, "some are moved and not committed", func() bool {
		return end(t, c, topics.Outbox(c.Group, "new")) >= 2*64
	})
	d.stop()
	first := end(t, c, topics.Outbox(c.Group, "new"))
	if first > 2*64 {
		t.Errorf("%d were moved without a commit, at most 64 of each partition may be", first)
	}
	allow()
	up.SetAnswer(nil)
	before := len(up.Requests()) // that were refused
	d = start(t, dir)
	testkafka.Eventually(t, 30*time.Second, "all are delivered", func() bool {
		return distinct(numbers(t, up.Requests()[before:])) == n
	})
	settled(t, c)
	if list := numbers(t, up.Requests()[before:]); len(list) != n {
		t.Errorf("%d posts of %d alerts", len(list), n)
	}
	if got := end(t, c, topics.Outbox(c.Group, "new")); got != n+first {
		t.Errorf("%d were written, want %d and the %d of before again", got, n, first)
	}
	if got := d.metric(`notifier_duplicates_dropped_total{channel="new"}`); got != fmt.Sprint(first) {
		t.Errorf("%s repeats were dropped, want %d", got, first)
	}
}

// TestMoveRequestedWithoutDaemon: twice, and carried out once.
func TestMoveRequestedWithoutDaemon(t *testing.T) {
	c := testkafka.Start(t, oldAndNew)
	down, up := webhooktest.Start(t, "", revoked), webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("old", down.URL)+hookChannel("new", up.URL), fmt.Sprintf(every, "old"))
	d := start(t, dir)
	const n, keys = 100, 3
	c.Produce(keyed(n, keys)...)
	testkafka.Eventually(t, 20*time.Second, "they wait", func() bool { return c.Lag(topics.OutboxGroup(c.Group)) == n && c.Lag(c.Group) == 0 })
	d.stop()
	tries := len(down.Requests())
	for range 2 {
		moveIn(t, c, dir, moveToNew...).Want(t, base.ExitDone, "no notifier is running in group "+c.Group+": the alerts are moved when one starts")
	}
	down.SetAnswer(nil) // it would take them: they were moved all the same
	start(t, dir)
	got(t, up, n, 30*time.Second)
	settled(t, c)
	inOrder(t, up, n, keys)
	if got := len(down.Requests()); got != tries {
		t.Errorf("the old channel got %d", got-tries)
	}
}

// TestUnconfiguredChannelIsShownAndMovable: its alerts wait although nobody
// has configured it.
func TestUnconfiguredChannelIsShownAndMovable(t *testing.T) {
	c := testkafka.Start(t, oldAndNew)
	down, up := webhooktest.Start(t, "", revoked), webhooktest.Start(t, "", nil)
	d := start(t, files(t, c, hookChannel("old", down.URL)+hookChannel("new", up.URL), fmt.Sprintf(every, "old")))
	const n, keys = 100, 3
	c.Produce(keyed(n, keys)...)
	testkafka.Eventually(t, 20*time.Second, "they wait", func() bool { return c.Lag(topics.OutboxGroup(c.Group)) == n && c.Lag(c.Group) == 0 })
	d.stop()

	dir := files(t, c, hookChannel("new", up.URL), newAndMore)
	d = start(t, dir)
	d.err.Wait(t, 10*time.Second, `"msg":"alerts wait for a channel that is no longer configured","channel":"old"`, fmt.Sprintf(`"waiting":%d`, n))
	testkafka.Eventually(t, 20*time.Second, "the channel that is gone is shown", func() bool {
		status, ok, cause := d.component("channel old")
		return status == http.StatusOK && !ok && strings.Contains(cause, "old is no longer configured: configure it, or 'notifier channels move old CHANNEL'")
	})
	moveIn(t, c, dir, moveToNew...).Want(t, base.ExitDone, "100 alerts moved")
	got(t, up, n, 30*time.Second)
	settled(t, c)
	inOrder(t, up, n, keys)
	d.stop()
	d = start(t, dir)
	if _, body := d.get("/readyz"); strings.Contains(body, "channel old") {
		t.Errorf("it is shown although nothing waits: %s", body)
	}
}

func TestMoveRejectsInvalidArguments(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "desk-slack", Partitions: 3}, {Name: "desk-mail", Partitions: 1}})
	up := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("desk-slack", up.URL)+hookChannel("desk-mail", up.URL)+hookChannel("never", up.URL), fmt.Sprintf(every, "desk-slack"))
	for _, q := range []struct {
		args string
		code int
		says string
	}{
		{"desk-slack desk-slack --yes", base.ExitMisused, "desk-slack cannot be moved to itself"},
		{"desk-slack desk-mial --yes", base.ExitMisused, "there is no channel desk-mial, did you mean desk-mail?"},
		{"desk-slak desk-mail --yes", base.ExitMisused, "there is no channel desk-slak, did you mean desk-slack?"},
		{"desk-slack --yes", base.ExitMisused, "takes two channels"},
		{"desk-slack desk-mail", base.ExitMisused, "use --yes"},
		{"desk-slack desk-mail --yes", base.ExitDone, "no alerts wait for desk-slack"},
		{"desk-slack never --yes", base.ExitFailed, "the outbox of never is missing (topic " + topics.Outbox(c.Group, "never") + "): run 'notifier"},
	} {
		moveIn(t, c, dir, append([]string{"channels", "move"}, strings.Fields(q.args)...)...).Want(t, q.code, q.says)
	}
}

// TestSecondMoveIsRejected: what one move means cannot be sent elsewhere by the
// next, and the command says so.
func TestSecondMoveIsRejected(t *testing.T) {
	c := testkafka.Start(t, append(oldAndNew, kafka.Channel{Name: "other", Partitions: 1}))
	down := webhooktest.Start(t, "", revoked)
	dir := files(t, c, hookChannel("old", down.URL)+hookChannel("new", down.URL)+hookChannel("other", down.URL), fmt.Sprintf(every, "old, new"))
	d := start(t, dir)
	c.Produce(keyed(10, 1)...)
	waitForLag(t, c, "new", 10)
	testkafka.Eventually(t, 20*time.Second, "the sources are settled", func() bool { return c.Lag(c.Group) == 0 })
	d.stop()
	moveIn(t, c, dir, moveToNew...).Want(t, base.ExitDone, "new receives alerts twice: rules with both channels: every", "no notifier is running")
	moveIn(t, c, dir, "channels", "move", "old", "other", "--yes").Want(t, base.ExitFailed, "requested to move the alerts of old to new, and 10 alerts are left")
}
