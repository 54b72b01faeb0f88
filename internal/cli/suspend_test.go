package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestRefusalsOfOneRuleDelayNoOther: a receiver refuses what one rule says, and
// a critical alert of another has the same record key and comes behind.
func TestRefusalsOfOneRuleDelayNoOther(t *testing.T) {
	c := testkafka.Start(t, one("hook", 1))
	refuse := func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{ByBody: func(body []byte) webhooktest.Answer {
			if bytes.Contains(body, []byte(`"rule":"bad"`)) {
				return webhooktest.Answer{Status: 422}
			}
			return webhooktest.Answer{}
		}}
	}
	hook := webhooktest.Start(t, "", refuse)
	rules := `
version: 1
rules:
  - {name: bad, topic: [trade-executions], when: event.n < 100, severity: warning, to: [hook], title: "{{ event.n }}"}
  - {name: urgent, topic: [trade-executions], when: event.n >= 100, severity: critical, to: [hook], title: "{{ event.n }}"}
`
	channel := strings.Replace(hookChannel("hook", hook.URL), "partitions: 2", "partitions: 1, concurrency: 1", 1)
	dir := files(t, c, channel, rules)
	d := start(t, dir)
	c.Produce(append(alerting(topics.TradeExecutions, "k", 0, 26), alerting(topics.TradeExecutions, "k", 100, 1)...)...)
	hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) > 0 && r[len(r)-1].Title() == "100" })
	if n := len(hook.Requests()); n != 21 {
		t.Errorf("%d requests, want 20 of the rule that is refused, and the other's", n)
	}
	testkafka.Eventually(t, 20*time.Second, "readiness names the rule", func() bool {
		status, ok, cause := d.component("channel hook")
		return status == http.StatusOK && !ok && strings.Contains(cause, "rule bad is suspended: 20 of its messages in a row were refused")
	})
	if got := d.metric(`notifier_condition{type="rule"}`); got != "1" {
		t.Errorf("the metric is %s", got)
	}
	if got := d.metric(`notifier_channel_state{channel="hook",state="healthy"}`); got != "1" {
		t.Errorf("the channel's state closed is %s", got)
	}
	d.seen(t)
	examineIn(t, c, dir).Contains(t, "failed channel hook: rule bad is suspended")
	hook.SetAnswer(nil)
	testkafka.Eventually(t, 30*time.Second, "a probe is taken and the rest follows", func() bool { return c.Lag(topics.OutboxGroup(c.Group)) == 0 })
	settled(t, c)
	testkafka.Eventually(t, 20*time.Second, "the rule is no longer shown", func() bool {
		_, ok, cause := d.component("channel hook")
		return ok && cause == "" && d.metric(`notifier_condition{type="rule"}`) == "0"
	})
	if n := len(clitest.DeadLetters(t, c)); n != 20 {
		t.Errorf("%d dead letters, want 20", n)
	}
	var said []string
	for line := range strings.Lines(d.err.String()) {
		if strings.Contains(line, `"component":"health"`) {
			said = append(said, line)
		}
	}
	if text := fmt.Sprint(said); len(said) != 2 || !strings.Contains(text, `"msg":"rule suspended"`) || !strings.Contains(text, `"rule":"bad"`) || !strings.Contains(text, `"msg":"rule resumed"`) {
		t.Errorf("said is %s", text)
	}
}
