package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestDaemonTellsVenueOutageInOneMessage, with a daemon, Kafka and a bot on
// Slack: the first reject at once, then one message that is replaced.
func TestDaemonTellsVenueOutageInOneMessage(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "chat", Partitions: 1}})
	chat := slacktest.Start(t, nil)
	t.Setenv("TEST_SLACK_TOKEN", slacktest.Token)
	channels := fmt.Sprintf(`
  chat: {slack: {token: env:TEST_SLACK_TOKEN, channel: %s, api: %q}, pace: {rate: 20/s, burst: 3}, digest: {max_items: 2}}`, slacktest.Channel, chat.API())
	rules := `version: 1
digest: {window: 1s, critical_window: 1s, max_window: 2s}
rules:
  - {name: rejected, topic: trade-executions, when: 'event.n >= 0', key: [event.n], group_by: [event.code], to: [chat], title: "order {{ event.n }}"}
`
	d := start(t, files(t, c, channels, rules))
	const n = 300
	for i := range n {
		c.Produce(&kgo.Record{Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, i), Value: fmt.Appendf(nil, `{"n":%d,"code":"XNAS"}`, i)})
		if i == 0 {
			chat.Wait(t, 1, 20*time.Second)
		}
	}
	testkafka.Eventually(t, 30*time.Second, "a digest tells all", func() bool {
		m := chat.Messages()
		return len(m) > 1 && strings.Contains(m[len(m)-1].Text, "300 alerts since")
	})
	m := chat.Messages()
	if last := m[len(m)-1].Text; len(m) != 2 || !strings.HasPrefix(m[0].Text, "🟠 Warning: order 0\n") || !strings.HasPrefix(last, "🟠 Warning: rejected XNAS: 300 alerts since ") || !strings.Contains(last, "and 298 more") {
		t.Errorf("%d messages: %+v", len(m), m)
	}
	testkafka.Eventually(t, 20*time.Second, "all are counted", func() bool {
		return d.metric(`notifier_deliveries_total{channel="chat",outcome="digested"}`) == fmt.Sprint(n-1) &&
			d.metric(`notifier_deliveries_total{channel="chat",outcome="delivered"}`) == "1" && d.metric(`notifier_outbox_pending{channel="chat"}`) == "0"
	})
	if code := d.stop(); code != base.ExitDone {
		t.Errorf("stopped with %d", code)
	}
}
