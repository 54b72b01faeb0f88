package cli

import (
	"fmt"
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

// TestSilenceHoldsAcrossRestartUntilExpired: of one account, while the others' alerts arrive.
func TestSilenceHoldsAcrossRestartUntilExpired(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}})
	hook := webhooktest.Start(t, "", nil)
	rules := `version: 1
rules:
  - {name: order-rejected, topic: trade-executions, when: 'event.n >= 0', key: [event.account_id], to: [hook], title: "{{ event.account_id }} {{ event.n }}"}
`
	dir := files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, partitions: 1}\n", hook.URL), rules)
	run := func(line string) clitest.Answer { return clitest.Main(Run).On(t, c, strings.Fields(line)...) }
	put := func(n int, account string) {
		c.Produce(&kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte(account), Value: fmt.Appendf(nil, `{"n":%d,"account_id":%q}`, n, account)})
	}
	arrived := func(title string) {
		t.Helper()
		testkafka.Eventually(t, 30*time.Second, title+" has arrived", func() bool { return titledWith(hook.Requests(), title) == 1 })
	}
	d := start(t, dir)
	put(0, "A7")
	arrived("A7 0")
	id := run("silence add rule=order-rejected account=A7 --for 1h -m CHG-112 -o json").Want(t, base.ExitDone).Objects(t)[0]["id"].(string)
	suppressed := func() float64 {
		return run("silence list --all -o json").Objects(t)[0]["suppressed"].(float64)
	}
	n := 1
	testkafka.Eventually(t, 30*time.Second, "the daemon knows of the silence", func() bool {
		put(n, "A7")
		n++
		settled(t, c)
		return suppressed() > 0
	})
	if code := d.stop(); code != base.ExitDone {
		t.Fatalf("stopped with %d", code)
	}
	before, sent := suppressed(), titledWith(hook.Requests(), "A7")
	put(1000, "A7")
	put(1000, "A8")
	d = start(t, dir)
	arrived("A8 1000")
	settled(t, c)
	if got := titledWith(hook.Requests(), "A7"); got != sent || suppressed() != before+1 {
		t.Errorf("%d sent, before %d; %g suppressed, before %g", got, sent, suppressed(), before)
	}
	if got := d.metric(`notifier_deliveries_total{channel="hook",outcome="silenced"}`); got != "1" {
		t.Errorf("%s are counted as silenced", got)
	}
	run("alerts list --decision silenced").Want(t, base.ExitDone, "silenced", "A7")
	run("silence expire "+id).Want(t, base.ExitDone, id+" expired")
	testkafka.Eventually(t, 30*time.Second, "alerts arrive again", func() bool {
		put(n, "A7")
		n++
		settled(t, c)
		return titledWith(hook.Requests(), "A7") > sent
	})
	arrived("Silence " + id + " ended (CHG-112): ")
	if code := d.stop(); code != base.ExitDone {
		t.Fatalf("stopped with %d", code)
	}
}

// TestQuietHoursDropWithTraceAndReroute: by the times of the events.
func TestQuietHoursDropWithTraceAndReroute(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}, {Name: "mail", Partitions: 1}})
	hook, mail := webhooktest.Start(t, "", nil), webhooktest.Start(t, "", nil)
	rules := `version: 1
calendars: {overnight: {times: ["17:00-06:30"]}}
routes:
  dropped: {warning: [hook], quiet: {during: overnight, severity: [warning], do: drop}}
  rerouted: {warning: [hook], quiet: {during: overnight, severity: [warning], do: reroute, to: [mail]}}
rules:
  - {name: dropped, topic: trade-executions, when: event.n == 1, to: [dropped], title: "dropped {{ event.occurred_at }}"}
  - {name: rerouted, topic: trade-executions, when: event.n == 2, to: [rerouted], title: "rerouted {{ event.occurred_at }}"}
`
	dir := files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, partitions: 1}\n  mail: {webhook: {url: %q}, partitions: 1}\n", hook.URL, mail.URL), rules)
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly)
	for n := range 2 {
		for _, clock := range []string{"03:00", "12:00"} {
			c.Produce(&kgo.Record{Topic: string(topics.TradeExecutions), Value: fmt.Appendf(nil, `{"n":%d,"occurred_at":"%sT%s:00Z"}`, n+1, yesterday, clock)})
		}
	}
	d := start(t, dir)
	testkafka.Eventually(t, 30*time.Second, "the others have arrived", func() bool {
		return distinctTitles(hook.Requests()) >= 2 && distinctTitles(mail.Requests()) == 1
	})
	settled(t, c)
	if got := d.metric(`notifier_deliveries_total{channel="hook",outcome="silenced"}`); got != "1" {
		t.Errorf("%s are counted as silenced", got)
	}
	testkafka.Eventually(t, 30*time.Second, "the channel is told what was dropped", func() bool {
		return titledWith(hook.Requests(), "Quiet hours overnight ended: 1 alert suppressed, worst warning") == 1
	})
	if code := d.stop(); code != base.ExitDone {
		t.Fatalf("stopped with %d", code)
	}
	for title, requests := range map[string][]webhooktest.Request{"rerouted " + yesterday + "T03": mail.Requests(), "rerouted " + yesterday + "T12": hook.Requests(), "dropped " + yesterday + "T12": hook.Requests()} {
		if titledWith(requests, title) != 1 {
			t.Errorf("%s did not arrive", title)
		}
	}
	records, _ := logRecords(t, c)
	for _, list := range records {
		r := list[0]
		if night := r.Title == "dropped "+yesterday+"T03:00:00Z"; (r.Decision == "silenced") != night || (r.Silence == "overnight") != night {
			t.Errorf("%s is %s (%s)", r.Title, r.Decision, r.Silence)
		}
	}
	if len(records) != 5 { // four alerts and the report
		t.Errorf("the log has %d deliveries", len(records))
	}
}
