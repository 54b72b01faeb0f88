package cli

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// TestReadinessFollowsEachComponent takes each deciding component down, finds
// its name and cause in the answer, and brings it back.
func TestReadinessFollowsEachComponent(t *testing.T) {
	alongside(t)
	if testkafka.Bare(t).Real() {
		t.Log("on a real cluster the tests of deleted topics hold this")
		return
	}
	channels := one("hook", 2)
	for component, c := range map[string]struct {
		topic func(*testkafka.Cluster) string
		cause string
	}{
		"topics":       {func(*testkafka.Cluster) string { return string(topics.ForwardTestEvents) }, "topic forward-test-events is missing: run 'notifier topics create'"},
		"dead letters": {func(c *testkafka.Cluster) string { return topics.DeadLetter(c.Group, topics.PortfolioUpdates) }, "topic notification-service.dlq.portfolio-updates is missing: run 'notifier topics create'"},
		"outboxes":     {func(c *testkafka.Cluster) string { return topics.Outbox(c.Group, "hook") }, "topic notification-service.outbox.hook is missing: run 'notifier topics create'"},
		"groups":       {nil, "ingest: "},
	} {
		t.Run(component, func(t *testing.T) {
			t.Parallel()
			cluster := testkafka.Start(t, channels)
			hook := webhooktest.Start(t, "", nil)
			d := start(t, files(t, cluster, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
			var back func()
			if c.topic == nil {
				fault := cluster.Fake().Fault(kfake.Fault{
					Keys: []kmsg.Key{kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat}, Group: cluster.Group, Count: -1, Err: kerr.GroupAuthorizationFailed,
				})
				back = fault.Remove
			} else {
				topic := c.topic(cluster)
				cluster.Delete(topic)
				back = func() {
					for _, s := range cluster.Shapes(channels) {
						if s.Topic == topic {
							cluster.Make(s)
						}
					}
				}
			}
			testkafka.Eventually(t, 30*time.Second, "the daemon is not ready and says why", func() bool {
				status, ok, cause := d.component(component)
				return status == http.StatusServiceUnavailable && !ok && strings.Contains(cause, c.cause)
			})
			if status, body := d.get("/livez"); status != http.StatusOK {
				t.Errorf("it is alive all the same: %d %s", status, body)
			}
			back()
			testkafka.Eventually(t, 30*time.Second, "the daemon is ready again", func() bool {
				status, ok, _ := d.component(component)
				return status == http.StatusOK && ok
			})
		})
	}
}

func TestSuspendedChannelDoesNotDecideReadiness(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}})
	hook := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer { return webhooktest.Answer{Status: 410} })
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 3)...)
	testkafka.Eventually(t, 20*time.Second, "the channel is suspended", func() bool {
		status, ok, cause := d.component("channel hook")
		return status == http.StatusOK && !ok && strings.Contains(cause, "returned 410")
	})
	cause410 := regexp.MustCompile(`returned 410.* — 3 wait, the oldest for \d+.* s, kept until \d+ [A-Z][a-z]+ \d\d:\d\d [A-Z]+$`)
	testkafka.Eventually(t, 40*time.Second, "it says how many wait, for how long, and until when they are kept", func() bool {
		_, _, cause := d.component("channel hook")
		return cause410.MatchString(cause)
	})
	if got := d.metric(`notifier_outbox_lag_records{channel="hook"}`); got != "3" {
		t.Errorf("the lag is %q", got)
	}
	if got := d.metric(`notifier_time_until_loss_seconds{topic="` + topics.Outbox(c.Group, "hook") + `"}`); got == "" || got == "+Inf" {
		t.Errorf("the time until loss is %q", got)
	}
	if n := len(clitest.DeadLetters(t, c)); n != 0 {
		t.Errorf("%d dead letters: a wrong destination is never the message's fault", n)
	}
	if got := d.metric(`notifier_channel_state{channel="hook",state="suspended"}`); got != "1" {
		t.Errorf("the metric is %s", got)
	}
	resp, err := http.NewRequest(http.MethodPut, d.http+"/log-level", strings.NewReader("debug"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(resp)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("PUT /log-level: %d", r.StatusCode)
	}
	if status, body := d.get("/"); status != http.StatusOK || !strings.Contains(body, "suspended") {
		t.Errorf("the page says %d %s", status, body)
	}
}
