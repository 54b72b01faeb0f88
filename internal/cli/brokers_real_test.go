//go:build real

package cli

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestBrokerVersionIsSupported runs what an operator does from the first topic on: on
// an empty cluster, with the program in a process of its own.
func TestBrokerVersionIsSupported(t *testing.T) {
	c := testkafka.Bare(t)
	hook := webhooktest.Start(t, "", refuses)
	t.Setenv("KAFKA_GROUP_INSTANCE_ID", "one-"+c.Group)
	config := filepath.Join(files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")), "notifier.yaml")
	command := func(args ...string) clitest.Answer {
		t.Helper()
		return clitest.Main(Run).Local(t, append(args, "-c", config)...)
	}
	daemon := func() *process {
		p := spawn(t, "run", "-c", config)
		p.err.Wait(t, 30*time.Second, `"msg":"running"`)
		return p
	}
	command("topics", "create", "--partitions", "3").Want(t, 0)
	command("topics", "check").Want(t, 0)
	p := daemon()
	const alerts = 300
	next, poisoned := 0, 4
	publish := func(n int) {
		c.Produce(alerting(topics.TradeExecutions, "", next, n)...)
		next += n
		got(t, hook, next, 60*time.Second)
	}
	publish(alerts)
	command("doctor").Want(t, 0, "Kafka ")
	_ = p.Process.Kill()
	_ = p.Wait()
	p = daemon()
	publish(alerts)
	settled(t, c)

	c.Produce(bad("k", 10*fine, poisoned)...)
	testkafka.Eventually(t, 30*time.Second, "what the receiver refuses is dead-lettered", func() bool {
		return len(clitest.DeadLetters(t, c, topics.TradeExecutions)) == poisoned
	})
	settled(t, c)
	hook.SetAnswer(nil)
	command("dlq", "list").Want(t, 0, "refused")
	command("dlq", "replay", "--all", "--yes", "--wait").Want(t, 0)
	replayed(t, hook, poisoned)
	next = distinct(numbers(t, hook.Requests()))
	settled(t, c)

	// More records than were read of the former one: its offsets look plausible.
	c.Delete(string(topics.TradeExecutions))
	testkafka.Eventually(t, time.Minute, "the topic is created again", func() bool {
		return command("topics", "create", "--partitions", "3").Code == 0
	})
	first := next
	c.Produce(alerting(topics.TradeExecutions, "", 20*fine, 3*alerts)...)
	p.err.Wait(t, 30*time.Second, "topic was recreated")
	got(t, hook, first+3*alerts, 60*time.Second)
	settled(t, c)
	command("lag").Want(t, 0)
}
