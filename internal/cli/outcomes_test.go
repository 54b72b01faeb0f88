package cli

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestDaemonJudgesReceiversByTheirAnswers with a daemon, Kafka and HTTP: a receiver
// compatible with Slack's gets an alert once, one that asks to wait is shown as
// waiting, and one that forbids a single message gets the others.
func TestDaemonJudgesReceiversByTheirAnswers(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "chat", Partitions: 3}, {Name: "busy", Partitions: 1}, {Name: "picky", Partitions: 1}})
	chat := slacktest.Start(t, func(int) slacktest.Answer { return slacktest.Answer{Status: 200, Body: `{"success":true}`} })
	busy := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{Status: 429, Header: map[string]string{"Retry-After": "3600"}}
	})
	picky := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{ByBody: func(body []byte) webhooktest.Answer {
			if strings.Contains(string(body), "FORBIDDEN") {
				return webhooktest.Answer{Status: http.StatusForbidden}
			}
			return webhooktest.Answer{}
		}}
	})
	channels := fmt.Sprintf(`
  chat: {slack: {webhook: %q}, digest: off}
  busy: {webhook: {url: %q}, partitions: 1}
  picky: {webhook: {url: %q}, partitions: 1}`, chat.Webhook(), busy.URL, picky.URL)
	rules := `version: 1
rules:
  - {name: all, topic: trade-executions, when: 'event.n >= 0', to: [chat, busy, picky], title: "{{ event.text }}"}
`
	d := start(t, files(t, c, channels, rules))
	produce := func(key, text string) {
		c.Produce(&kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte(key), Value: fmt.Appendf(nil, `{"n":1,"text":%q}`, text)})
	}
	produce("bad", "FORBIDDEN")
	for i := range 5 {
		produce(fmt.Sprint(i), "fine")
		picky.Wait(20*time.Second, func(r []webhooktest.Request) bool { return titled(r, "fine") > i })
		testkafka.Eventually(t, 20*time.Second, "the forbidden alert is tried again", func() bool {
			return titled(picky.Requests(), "FORBIDDEN") >= min(i+1, 3)
		})
	}
	testkafka.Eventually(t, 20*time.Second, "the forbidden alert is a dead letter", func() bool {
		return len(clitest.DeadLetters(t, c, topics.TradeExecutions)) == 1
	})
	testkafka.Eventually(t, 20*time.Second, "the chat has all alerts", func() bool { n, _ := chat.Requests(); return n >= 6 })
	if n, _ := chat.Requests(); n != 6 {
		t.Errorf("%d posts of 6 alerts", n)
	}
	_, ok, cause := d.component("channel busy")
	if _, body := d.get("/readyz"); ok || !strings.Contains(cause, "returned 429; tried again at ") || !strings.Contains(body, `"until":`) || len(busy.Requests()) != 1 {
		t.Errorf("%q after %d requests: %s", cause, len(busy.Requests()), body)
	}
	if got := d.metric(`notifier_channel_state{channel="busy",state="waiting"}`); got != "1" {
		t.Errorf("the metric is %q", got)
	}
}

func titled(requests []webhooktest.Request, title string) (n int) {
	for _, r := range requests {
		if r.Title() == title {
			n++
		}
	}
	return n
}
