package cli

import (
	"bytes"
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
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// logRecords returns what the delivery log of a group holds, by delivery, and its bytes.
func logRecords(t testing.TB, c *testkafka.Cluster) (map[string][]*deliverylog.Record, []byte) {
	t.Helper()
	reader, raw := deliverylog.NewReader(c.Client(), c.Group), []byte{}
	spans, err := reader.Spans(t.Context(), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	byDelivery := make(map[string][]*deliverylog.Record)
	maybe := func(r *kgo.Record) bool { raw = append(append(raw, r.Value...), '\n'); return true }
	err = reader.Each(t.Context(), spans, maybe, func(r *deliverylog.Record) bool {
		byDelivery[r.Delivery] = append(byDelivery[r.Delivery], r)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return byDelivery, raw
}

// TestEveryDeliveryHasOneRecord: sent, throttled, expired and dead-lettered ones in two
// channels, with a restart between, and without the channels' secrets. The command
// answers when the daemon is gone.
func TestEveryDeliveryHasOneRecord(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}, {Name: "picky", Partitions: 1}})
	const secret = "s3cret-of-the-hook"
	t.Setenv("TEST_HOOK_SECRET", "raw:"+secret)
	hook := webhooktest.Start(t, secret, nil)
	picky := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{ByBody: func(body []byte) webhooktest.Answer {
			if strings.Contains(string(body), `"title":"bad`) {
				return webhooktest.Answer{Status: http.StatusUnprocessableEntity, Body: "no " + secret}
			}
			return webhooktest.Answer{}
		}}
	})
	channels := fmt.Sprintf("  hook: {webhook: {url: %q, secret: env:TEST_HOOK_SECRET}, partitions: 2}\n  picky: {webhook: {url: %q}, partitions: 1}\n", hook.URL, picky.URL)
	rules := `version: 1
rules:
  - {name: all, topic: trade-executions, when: 'event.n >= 0', key: [event.account, event.n], to: [hook, picky], title: "{{ event.text }} {{ event.n }}"}
  - {name: calm, topic: portfolio-updates, when: 'event.n >= 0', key: [event.account], throttle: 1h, expire: 15m, to: [hook], title: "calm {{ event.n }}"}
`
	dir := files(t, c, channels, rules)
	put := func(topic topics.Name, n int, text, account string, age time.Duration) {
		value := fmt.Appendf(nil, `{"n":%d,"text":%q,"account":%q,"occurred_at":%q}`, n, text, account, time.Now().Add(-age).UTC().Format(time.RFC3339Nano))
		c.Produce(&kgo.Record{Topic: string(topic), Key: fmt.Append(nil, account, n), Value: value})
	}
	for run := range 2 {
		d := start(t, dir)
		for i := range 10 {
			put(topics.TradeExecutions, 10*run+i, "fine", "ACC-7", 0)
			put(topics.PortfolioUpdates, i, "", fmt.Sprint("ACC-", run), 0) // one is sent
		}
		put(topics.TradeExecutions, 100+run, "bad", "ACC-8", 0)
		put(topics.PortfolioUpdates, 200, "", fmt.Sprint("old-", run), time.Hour)
		testkafka.Eventually(t, 30*time.Second, "everything has arrived", func() bool {
			return distinctTitles(hook.Requests()) == (run+1)*12 && titledWith(picky.Requests(), "fine") == (run+1)*10
		})
		settled(t, c)
		for sample, want := range map[string]string{
			`notifier_deliveries_total{channel="hook",outcome="delivered"}`:      "12",
			`notifier_deliveries_total{channel="hook",outcome="throttled"}`:      "9",
			`notifier_deliveries_total{channel="hook",outcome="expired"}`:        "1",
			`notifier_deliveries_total{channel="picky",outcome="delivered"}`:     "10",
			`notifier_deliveries_total{channel="picky",outcome="dead_lettered"}`: "1",
			`notifier_delivery_log_dropped_total`:                                "0",
		} {
			if got := d.metric(sample); got != want {
				t.Errorf("run %d: %s is %q, want %s", run, sample, got, want)
			}
		}
		if code := d.stop(); code != base.ExitDone {
			t.Fatalf("stopped with %d", code)
		}
	}
	records, raw := logRecords(t, c)
	got := make(map[string]int)
	for id, list := range records {
		if len(list) != 1 {
			t.Errorf("%s has %d records", id, len(list))
		}
		r := list[0]
		got[r.Channel+" "+string(r.Decision)]++
		sent := r.Decision == deliverylog.Delivered || r.Decision == deliverylog.DeadLettered
		if r.MayBeDuplicate || r.Client != "notifier" || r.Event.Time.IsZero() || sent != (len(r.Attempts) == 1) {
			t.Errorf("%+v", r)
		}
	}
	want := map[string]int{"hook delivered": 24, "hook throttled": 18, "hook expired": 2, "picky delivered": 20, "picky dead_lettered": 2}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if bytes.Contains(raw, []byte(secret)) {
		t.Errorf("a secret stands in the log:\n%s", raw)
	}
	answer := clitest.Main(Run).On(t, c, "alerts", "list", "--key", "ACC-8", "--rule", "all", "--decision", "dead_lettered", "-o", "json").Want(t, base.ExitDone)
	list := answer.Objects(t)
	if len(list) != 2 || list[0]["reason"] != "refused" || list[1]["title"] != "bad 101" {
		t.Fatalf("%v", list)
	}
	clitest.Main(Run).On(t, c, "alerts", "show", fmt.Sprint(list[0]["alert"])).Want(t, base.ExitDone, "hook: delivered at ", "picky: dead_lettered at ")
	clitest.Main(Run).On(t, c, "dlq", "show", fmt.Sprint(list[0]["delivery"])).Want(t, base.ExitDone, "refused")
}

func distinctTitles(requests []webhooktest.Request) int {
	titles := make(map[string]bool)
	for _, r := range requests {
		titles[r.Title()+string(r.Body)] = true
	}
	return len(titles)
}

func titledWith(requests []webhooktest.Request, word string) (n int) {
	for _, r := range requests {
		if strings.HasPrefix(r.Title(), word) {
			n++
		}
	}
	return n
}

// TestMissingDeliveryLogHoldsSuppressedAlertsOnly: those that are sent go out, and the
// daemon stays ready; what was suppressed is committed once the topic is back.
func TestMissingDeliveryLogHoldsSuppressedAlertsOnly(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, one("hook", 1))
	hook := webhooktest.Start(t, "", nil)
	rules := `version: 1
rules:
  - {name: calm, topic: trade-executions, when: 'event.n >= 0', key: [event.k], throttle: 1h, to: [hook], title: "{{ event.n }}"}
`
	d := start(t, files(t, c, hookChannel("hook", hook.URL), rules))
	c.Delete(topics.Deliveries(c.Group))
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 3)...)
	c.Produce(alerting(topics.TradeExecutions, "b", 3, 1)...)
	got(t, hook, 2, 20*time.Second)
	testkafka.Eventually(t, 40*time.Second, "the log's state is shown", func() bool {
		status, ok, cause := d.component("delivery log")
		_, shown, warning := d.component("warnings")
		return status == http.StatusOK && !ok && strings.Contains(cause, "is missing") && !shown && strings.Contains(warning, "throttled and expired alerts stay pending")
	})
	if lag := c.Lag(topics.OutboxGroup(c.Group)); lag < 2 {
		t.Errorf("the lag is %d, although two alerts are suppressed without a record", lag)
	}
	for _, s := range c.Shapes(one("hook", 1)) {
		if s.Role == kafka.RoleDeliveries {
			c.Make(s)
		}
	}
	settled(t, c)
	records, _ := logRecords(t, c)
	n := 0
	for _, list := range records {
		if list[0].Decision == deliverylog.Throttled && len(list) == 1 {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d throttled alerts have a record, want 2", n)
	}
}
