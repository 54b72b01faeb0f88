package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// heard are the titles that a receiver has accepted, in order.
func heard(s *webhooktest.Server, rule string) (titles []string) {
	for _, r := range s.Requests() {
		var doc struct{ Alert struct{ Rule, Title string } }
		if json.Unmarshal(r.Body, &doc) == nil && doc.Alert.Rule == rule {
			titles = append(titles, doc.Alert.Title)
		}
	}
	return titles
}

// TestSuspendedChannelFallsBackAndIsTold is the night on which a webhook is revoked: what is
// critical reaches the desk by mail, which is told that the webhook is down and when it is
// back, also by a daemon that was restarted meanwhile; nothing is lost or sent twice.
func TestSuspendedChannelFallsBackAndIsTold(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 1}, {Name: "mail", Partitions: 1}})
	hook, mail := webhooktest.Start(t, "", revoked), webhooktest.Start(t, "", nil)
	dir := files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, partitions: 1, fallback: {to: mail, after: 2s, severity: [critical]}}\n  mail: {webhook: {url: %q}, partitions: 1}\n", hook.URL, mail.URL),
		strings.Replace(fmt.Sprintf(every, "hook"), "severity: warning", `severity: 'event.n < 3 ? "critical" : "warning"'`, 1))
	notify(t, dir, "mail")
	d := start(t, dir)
	began := time.Now()
	c.Produce(alerting(topics.TradeExecutions, "k", 0, 6)...)
	testkafka.Eventually(t, 15*time.Second, "critical alerts reach the fallback channel", func() bool { return len(heard(mail, "every")) == 3 })
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("they were there after %s", took)
	}
	testkafka.Eventually(t, 40*time.Second, "the suspension is told", func() bool { return len(heard(mail, "notifier")) == 1 })
	if got := heard(mail, "notifier")[0]; !strings.HasPrefix(got, "hook is suspended: ") || !strings.Contains(got, "410") {
		t.Errorf("told: %s", got)
	}
	if body := string(mail.Requests()[0].Body); !strings.Contains(body, `"instead":{"channel":"hook","cause":"suspended: `) {
		t.Errorf("the message does not say what it stands for: %s", body)
	}
	d.stop()
	tried := len(hook.Requests())
	d = start(t, dir)
	testkafka.Eventually(t, 20*time.Second, "the next owner finds it suspended", func() bool { return len(hook.Requests()) > tried })
	hook.SetAnswer(nil)
	testkafka.Eventually(t, 90*time.Second, "the end is told", func() bool { return len(heard(mail, "notifier")) == 2 })
	if got := heard(mail, "notifier")[1]; !strings.HasPrefix(got, "hook was suspended for ") {
		t.Errorf("told: %s", got)
	}
	settled(t, c)
	accepted := heard(hook, "every")
	accepted = accepted[len(accepted)-3:]
	criticals := heard(mail, "every")
	slices.Sort(accepted)
	slices.Sort(criticals)
	if !slices.Equal(accepted, []string{"3", "4", "5"}) || !slices.Equal(criticals, []string{"0", "1", "2"}) {
		t.Errorf("hook got %v, mail %v", accepted, criticals)
	}
	run := func(args ...string) clitest.Answer {
		return clitest.Main(Run).Local(t, append([]string{"-c", dir + "/notifier.yaml", "alerts", "list", "-o", "json"}, args...)...)
	}
	testkafka.Eventually(t, 20*time.Second, "the log has all", func() bool { return len(run("--decision", "delivered").Objects(t)) == 8 })
	for _, o := range run("--decision", "rerouted").Want(t, base.ExitDone).Objects(t) {
		if o["to"] != "mail" || o["severity"] != "critical" || !strings.HasPrefix(fmt.Sprint(o["detail"]), "the channel is suspended: ") {
			t.Errorf("%v", o)
		}
	}
	if got := d.metric(`notifier_deliveries_total{channel="hook",outcome="delivered"}`); got != "3" {
		t.Errorf("%s delivered to hook", got)
	}
	if n := len(clitest.DeadLetters(t, c)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// notify has a channel told of trouble.
func notify(t *testing.T, dir, channel string) {
	t.Helper()
	f, err := os.OpenFile(dir+"/notifier.yaml", os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(f, "\nnotify_trouble: %s\n", channel)
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
}
