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
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestBlockedPartitionIsShownEverywhere and does not decide readiness.
func TestBlockedPartitionIsShownEverywhere(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}})
	outbox := topics.Outbox(c.Group, "hook")
	by := make(kadm.Offsets)
	by.Add(kadm.Offset{Topic: outbox, Partition: 0, At: 0, LeaderEpoch: -1})
	if err := c.Admin.CommitAllOffsets(t.Context(), topics.OutboxGroup(c.Group), by); err != nil {
		t.Fatal(err)
	}
	hook := webhooktest.Start(t, "", nil)
	d := launch(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	d.running()
	testkafka.Eventually(t, 20*time.Second, "the daemon says why", func() bool {
		status, ok, cause := d.component("blocked")
		return status == http.StatusOK && !ok && strings.HasPrefix(cause, outbox+"/0: its offset was set by hand: ")
	})
	if status, body := d.get("/livez"); status != http.StatusOK {
		t.Errorf("a daemon with a blocked partition is alive: %d %s", status, body)
	}
	if got := d.metric(`notifier_condition{type="blocked"}`); got != "1" {
		t.Errorf("notifier_condition is %q", got)
	}
	if got := d.metric(fmt.Sprintf(`notifier_partition_blocked{partition="0",reason="offset",stage="dispatch",topic=%q}`, outbox)); got != "1" {
		t.Errorf("notifier_partition_blocked is %q", got)
	}
	d.err.Wait(t, time.Second, `"level":"ERROR"`, `"msg":"partition blocked"`, `"component":"health"`, `"topic":"`+outbox+`"`, `"partition":0`)
}

// oversized writes one batch of a few hundred KB that unpacks to 70 MiB.
func oversized(t *testing.T, c *testkafka.Cluster, topic string) {
	t.Helper()
	zeros := make([]byte, 1<<20)
	packed := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5*time.Second), kgo.MaxBufferedRecords(70),
		kgo.ProducerBatchMaxBytes(100<<20), kgo.BrokerMaxWriteBytes(100<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))
	for range 70 {
		packed.Produce(t.Context(), &kgo.Record{Topic: topic, Value: zeros}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := packed.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestUnreadPartitionMakesDaemonNotReady uses the condition that is set at once;
// all take the same way to log, metric and readiness.
func TestUnreadPartitionMakesDaemonNotReady(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}})
	hook := webhooktest.Start(t, "", nil)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	oversized(t, c, topics.Replay(c.Group))
	testkafka.Eventually(t, 30*time.Second, "the daemon is not ready and says why", func() bool {
		status, ok, cause := d.component("partitions")
		return status == http.StatusServiceUnavailable && !ok &&
			strings.Contains(cause, "the batch with the offsets 0 to 69 of "+topics.Replay(c.Group)+"/0 takes more memory unpacked than kafka.window.bytes")
	})
	if status, body := d.get("/livez"); status != http.StatusOK {
		t.Errorf("it is alive: %d %s", status, body)
	}
	if got := d.metric(`notifier_condition{type="too-large"}`); got != "1" {
		t.Errorf("notifier_condition is %q", got)
	}
}

// What follows a source's batch that is too large is delivered, and the
// daemon stays ready.
func TestOversizedBatchBlocksNoSource(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}})
	hook := webhooktest.Start(t, "", nil)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	oversized(t, c, string(topics.TradeExecutions))
	behind := alerting(topics.TradeExecutions, "", 0, 1)
	if err := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(t.Context(), behind...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	testkafka.Eventually(t, 30*time.Second, "the next record is delivered", func() bool { return len(hook.Requests()) == 1 })
	if status, body := d.get("/readyz"); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
	d.err.Wait(t, 5*time.Second, `"level":"ERROR"`, `"msg":"batch is too large to be unpacked`, `"first":0,"last":69`)
	d.err.Wait(t, 5*time.Second, `"msg":"dead letter"`, `"cause":"batch-too-large"`)
	if text := d.err.String(); strings.Contains(text, "SetOffsets") {
		t.Errorf("kgo says what only a program can do:\n%s", text)
	}
}

func TestSameInstanceIDTakesOver(t *testing.T) {
	t.Setenv("KAFKA_GROUP_INSTANCE_ID", "host-1")
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}})
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	first := start(t, dir)
	second := start(t, dir)
	first.err.Wait(t, 40*time.Second, "another notifier runs as host-1: give each its own kafka.instance_id")
	if code := first.stop(); code != base.ExitConfig {
		t.Errorf("exit %d, want %d: it would fence the other one in turn", code, base.ExitConfig)
	}
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 3)...)
	testkafka.Eventually(t, 40*time.Second, "the other one delivers", func() bool { return len(hook.Requests()) >= 3 })
	if code := second.stop(); code != base.ExitDone {
		t.Errorf("the other one: exit %d", code)
	}
}
