package cli

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestResentAlertIsSentOnceAndMarked: one that was throttled, to its channel, and one to
// another channel that is asked for while no daemon runs.
func TestResentAlertIsSentOnceAndMarked(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}, {Name: "other", Partitions: 1}})
	hook, other := webhooktest.Start(t, "", nil), webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{ByBody: func(body []byte) webhooktest.Answer {
			if strings.Contains(string(body), `"title":"7"`) {
				return webhooktest.Answer{Status: http.StatusUnprocessableEntity}
			}
			return webhooktest.Answer{}
		}}
	})
	rules := `version: 1
rules:
  - {name: calm, topic: trade-executions, when: 'event.n >= 0', key: [event.k], throttle: 1h, to: [hook], title: "{{ event.n }}"}
`
	dir := files(t, c, hookChannel("hook", hook.URL)+fmt.Sprintf("  other: {webhook: {url: %q}, partitions: 1}\n", other.URL), rules)
	run := func(args ...string) clitest.Answer {
		return clitest.Main(Run).Local(t, append([]string{"-c", dir + "/notifier.yaml", "alerts"}, args...)...)
	}
	d := start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "a", 6, 2)...) // 6 is sent, 7 is throttled
	got(t, hook, 1, 20*time.Second)
	settled(t, c)
	throttled := run("list", "--decision", "throttled", "-o", "json").Objects(t)
	if len(throttled) != 1 || throttled[0]["title"] != "7" {
		t.Fatalf("%v", throttled)
	}
	id, delivery := fmt.Sprint(throttled[0]["alert"]), fmt.Sprint(throttled[0]["delivery"])
	run("resend", id).Want(t, base.ExitMisused, "cannot ask for confirmation")
	run("resend", id, "--dry-run").Want(t, base.ExitDone, "dry run", "to hook, where it was throttled at ")
	run("resend", id, "--to", "othr", "--yes").Want(t, base.ExitMisused, "there is no channel othr, did you mean other?")
	run("resend", delivery, "--yes", "-m", "they asked").Want(t, base.ExitDone, "requested; see what becomes of it: ")
	got(t, hook, 2, 20*time.Second)
	settled(t, c)
	testkafka.Eventually(t, 20*time.Second, "the log has the record of the resend", func() bool { return strings.Contains(run("show", id).Out, "hook: delivered at ") })
	run("show", id).Want(t, base.ExitDone, "hook: throttled at ", "sent again by "+base.User())
	if n := d.metric(`notifier_replays_total{outcome="resent"}`); n != "1" {
		t.Errorf("%s requests were carried out", n)
	}
	requests := hook.Requests()
	if len(requests) != 2 || !strings.Contains(string(requests[1].Body), `"resent":true`) || strings.Contains(string(requests[0].Body), "resent") || requests[1].Header.Get("webhook-id") != delivery {
		t.Errorf("%d requests: %s", len(requests), requests[len(requests)-1].Body)
	}
	d.stop()

	sent := ""
	for _, o := range run("list", "--decision", "delivered", "-o", "json").Objects(t) {
		if o["title"] == "6" {
			sent = fmt.Sprint(o["alert"])
		}
	}
	for range 2 { // each request sends it once
		run("resend", sent, "--to", "other", "--yes").Want(t, base.ExitDone, "no notifier is running in group "+c.Group+": the alert is sent when one starts", "to other, where it was not sent before")
	}
	run("resend", id, "--to", "other", "--yes").Want(t, base.ExitDone) // is refused there
	for range 2 {
		d = start(t, dir)
		settled(t, c)
		d.stop()
	}
	records, _ := logRecords(t, c)
	byDecision := make(map[string]int)
	for _, list := range records {
		for _, r := range list {
			byDecision[r.Channel+" "+string(r.Decision)]++
			if (r.Channel == "other") != (r.ResentBy != "") && r.Delivery != delivery {
				t.Errorf("%+v", r)
			}
		}
	}
	want := map[string]int{"hook delivered": 2, "hook throttled": 1, "other delivered": 2, "other dead_lettered": 1}
	if fmt.Sprint(byDecision) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", byDecision, want)
	}
	letters := clitest.DeadLetters(t, c, topics.TradeExecutions)
	if len(letters) != 1 || letters[0].Envelope.Channel != "other" {
		t.Fatalf("%d dead letters", len(letters))
	}
	run("resend", letters[0].ID, "--yes").Want(t, base.ExitFailed, "it is a dead letter: replay it with '", "dlq replay dl_")
	run("resend", id, "--yes").Want(t, base.ExitMisused, "the alert went to several channels: use --to with one of hook, other")
}

// TestResendOfAGoneAlertIsRefused: the outbox was recreated. A request for what is not
// there, or for another alert, sends nothing and holds up nothing.
func TestResendOfAGoneAlertIsRefused(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	d := start(t, dir)
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 1)...)
	got(t, hook, 1, 20*time.Second)
	settled(t, c)
	forged := resendOf(t, c)
	forged.Alert = "al_other"
	gone := resendOf(t, c)
	gone.Offset = 1000
	unknown := resendOf(t, c)
	unknown.Channel = "nowhere"
	for _, q := range []*kgo.Record{forged.Record(c.Group), gone.Record(c.Group), unknown.Record(c.Group)} {
		c.Produce(q)
	}
	testkafka.Eventually(t, 20*time.Second, "the requests are dropped", func() bool { return d.metric(`notifier_replays_total{outcome="dropped"}`) == "3" })
	settled(t, c)
	if n := len(hook.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
	d.stop()
	for _, s := range c.Shapes(one("hook", 2)) {
		if s.Role == kafka.RoleOutbox {
			c.Delete(s.Topic)
			c.Make(s)
		}
	}
	clitest.Main(Run).On(t, c, "alerts", "resend", onlyRecord(t, c).Alert, "--yes").Want(t, base.ExitFailed, "no outbox has the alert any longer (the outbox no longer has it)")
}

// onlyRecord waits for the one record of the log: that of a sent alert comes a moment later.
func onlyRecord(t testing.TB, c *testkafka.Cluster) (found *deliverylog.Record) {
	t.Helper()
	testkafka.Eventually(t, 20*time.Second, "the log has a record", func() bool {
		records, _ := logRecords(t, c)
		for _, list := range records {
			found = list[0]
		}
		return found != nil
	})
	return found
}

// resendOf is a request to send it again.
func resendOf(t testing.TB, c *testkafka.Cluster) *replay.Resend {
	t.Helper()
	r := onlyRecord(t, c)
	return &replay.Resend{Alert: r.Alert, Channel: r.Channel, Outbox: r.Channel, TopicID: r.Outbox.TopicID, Partition: r.Outbox.Partition, Offset: r.Outbox.Offset, By: "ann"}
}
