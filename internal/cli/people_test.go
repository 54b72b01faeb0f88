package cli

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// setOffset commits an offset as the ordinary tools do, without metadata.
func setOffset(t *testing.T, c *testkafka.Cluster, group, topic string, at int64) {
	t.Helper()
	offsets := make(kadm.Offsets)
	offsets.Add(kadm.Offset{Topic: topic, At: at, LeaderEpoch: -1})
	resp, err := c.Admin.CommitOffsets(t.Context(), group, offsets)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestOffsetSetByHandBlocksItsOutboxOnly: the way
// back from 3 a.m. and the wrong topic in a reset.
func TestOffsetSetByHandBlocksItsOutboxOnly(t *testing.T) {
	c := testkafka.Start(t, append(one("hook", 1), one("other", 1)...))
	hook, other := webhooktest.Start(t, "", nil), webhooktest.Start(t, "", nil)
	channels := fmt.Sprintf("  hook: {webhook: {url: %q}, partitions: 1}\n  other: {webhook: {url: %q}, partitions: 1}\n", hook.URL, other.URL)
	dir := files(t, c, channels, fmt.Sprintf(every, "hook, other"))
	d := start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 10)...)
	got(t, hook, 10, 20*time.Second)
	settled(t, c)
	d.stop()

	outbox := topics.Outbox(c.Group, "hook")
	setOffset(t, c, topics.OutboxGroup(c.Group), outbox, 7)
	d = start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "a", 10, 1)...)
	got(t, other, 11, 20*time.Second)
	d.err.Wait(t, 20*time.Second, `"level":"ERROR"`, "partition blocked", outbox, "run --start committed")
	if n := d.metric(fmt.Sprintf(`notifier_partition_blocked{partition="0",reason="offset",stage="dispatch",topic=%q}`, outbox)); n != "1" {
		t.Errorf("the metric of blocked partitions is %q", n)
	}
	if status, ok, cause := d.component("blocked"); status != http.StatusOK || ok || !strings.Contains(cause, "run --start committed") {
		t.Errorf("readiness: %d, %v, %q", status, ok, cause)
	}
	if n := len(hook.Requests()); n != 10 {
		t.Errorf("%d posts while its outbox is blocked", n)
	}
	d.stop()

	start(t, dir, "--start", "committed")
	// What the person asked for: 7, 8 and 9 again, and what came meanwhile.
	list := numbers(t, hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) == 14 }))
	if want := "[7 8 9 10]"; fmt.Sprint(list[10:]) != want {
		t.Errorf("sent %v, want %s", list[10:], want)
	}
	settled(t, c)
	if n := len(other.Requests()); n != 11 {
		t.Errorf("%d posts to the other channel", n)
	}
}

// TestRecreatedOutboxIsReported: the alerts
// went with their topic, but the events are still there.
func TestRecreatedOutboxIsReported(t *testing.T) {
	channels := append(one("hook", 1), one("other", 1)...)
	c := testkafka.Start(t, channels)
	down := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{Status: http.StatusServiceUnavailable}
	})
	other := webhooktest.Start(t, "", nil)
	written := func(url string) string {
		return fmt.Sprintf("  hook: {webhook: {url: %q}, partitions: 1}\n  other: {webhook: {url: %q}, partitions: 1}\n", url, other.URL)
	}
	dir := files(t, c, written(down.URL), fmt.Sprintf(every, "hook, other"))
	began := time.Now().Add(-time.Minute)
	d := start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 10)...)
	got(t, other, 10, 20*time.Second)
	testkafka.Eventually(t, 20*time.Second, "all of them wait", func() bool { return d.metric(`notifier_outbox_pending{channel="hook"}`) == "10" })

	outbox := topics.Outbox(c.Group, "hook")
	c.Delete(outbox)
	for _, s := range c.Shapes(channels) {
		if s.Topic == outbox {
			c.Make(s)
		}
	}
	d.err.Wait(t, 30*time.Second, `"level":"ERROR"`, "topic was recreated", outbox, `"waited":10`, "run --start TIME")
	if n := d.metric(fmt.Sprintf(`notifier_events_lost_total{stage="dispatch",topic=%q}`, outbox)); n != "10" {
		t.Errorf("the metric of what is lost is %q", n)
	}
	d.stop()

	hook := webhooktest.Start(t, "", nil)
	dir = files(t, c, written(hook.URL), fmt.Sprintf(every, "hook, other"))
	d = start(t, dir, "--start", began.UTC().Format(time.RFC3339))
	got(t, hook, 10, 30*time.Second)
	settled(t, c)
	if n := len(other.Requests()); n != 10 {
		t.Errorf("%d posts to the channel whose outbox was left alone", n)
	}
}

// TestPartitionsAreAddedWhileRunning to a source and to an outbox.
func TestPartitionsAreAddedWhileRunning(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	d := start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "", 0, 20)...)
	got(t, hook, 20, 20*time.Second)
	resp, err := c.Admin.CreatePartitions(t.Context(), 3, string(topics.TradeExecutions), topics.Outbox(c.Group, "hook"))
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 6 {
		r := alerting(topics.TradeExecutions, fmt.Sprintf("k%d", i), 20+i, 1)[0]
		r.Partition = int32(i)
		testkafka.Eventually(t, 20*time.Second, "the partition can be written", func() bool { return cl.ProduceSync(t.Context(), r).FirstErr() == nil })
	}
	got(t, hook, 26, time.Minute)
	settled(t, c)
	if code := d.stop(); code != base.ExitDone {
		t.Fatalf("stopped with %d", code)
	}

	start(t, dir) // and uses the outbox's new partitions from now on
	for i := range 60 {
		c.Produce(alerting(topics.TradeExecutions, fmt.Sprintf("n%d", i), 26+i, 1)...)
	}
	got(t, hook, 86, 30*time.Second)
	settled(t, c)
	used := 0
	ends, err := c.Admin.ListEndOffsets(t.Context(), topics.Outbox(c.Group, "hook"))
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Partition >= 2 && o.Offset > 0 {
			used++
		}
	})
	if used == 0 {
		t.Error("the new partitions of the outbox are not used after a restart")
	}
	if list := numbers(t, hook.Requests()); len(list) != distinct(list) {
		t.Errorf("%d posts of %d alerts", len(list), distinct(list))
	}
}
