package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

func hookChannel(name, url string) string {
	return fmt.Sprintf("  %s: {webhook: {url: %q}, timeout: 5s, partitions: 2}\n", name, url)
}

// numbers returns the titles of requests, which are numbers.
func numbers(t testing.TB, requests []webhooktest.Request) []int {
	t.Helper()
	var list []int
	for _, r := range requests {
		n, err := strconv.Atoi(r.Title())
		if err != nil {
			t.Fatalf("title %q", r.Title())
		}
		list = append(list, n)
	}
	return list
}

func distinct(list []int) int {
	list = slices.Clone(list)
	slices.Sort(list)
	return len(slices.Compact(list))
}

// got waits until n different alerts have arrived.
func got(t testing.TB, s *webhooktest.Server, n int, within time.Duration) []int {
	t.Helper()
	return numbers(t, s.Wait(within, func(r []webhooktest.Request) bool {
		return len(r) >= n && distinct(numbers(t, r)) >= n
	}))
}

func TestAnEventReachesEveryChannel(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "desk", Partitions: 1}, {Name: "hook", Partitions: 6}, {Name: "slack", Partitions: 3}, {Name: "mail", Partitions: 1}})
	hook, chat := webhooktest.Start(t, "s3cret-of-the-hook", nil), slacktest.Start(t, nil)
	mail := smtptest.Start(t, smtptest.Config{})
	t.Setenv("TEST_SLACK_TOKEN", slacktest.Token)
	t.Setenv("TEST_HOOK_SECRET", "raw:s3cret-of-the-hook")
	channels := fmt.Sprintf(`
  desk: {console: {}}
  hook: {webhook: {url: %q, secret: env:TEST_HOOK_SECRET}}
  slack: {slack: {token: env:TEST_SLACK_TOKEN, channel: %s, api: %q}}
  mail: {email: {server: %q, from: alerts@example.com, to: [desk@example.com], tls: none}}`, hook.URL, slacktest.Channel, chat.API(), mail.Addr)
	rules := strings.ReplaceAll(string(configs.Rules), "to: [desk]", "to: [desk, hook, slack, mail]")
	d := start(t, files(t, c, channels, rules))

	rejected, err := configs.FindSample(configs.Samples(), topics.TradeExecutions, "order.rejected")
	if err != nil {
		t.Fatal(err)
	}
	// An old event would be expired.
	fresh := bytes.Replace(rejected.Data, []byte("2026-11-23T14:31:05.123456Z"), []byte(time.Now().UTC().Format(time.RFC3339Nano)), 1)
	poison := &kgo.Record{
		Topic: string(topics.TradeExecutions), Key: []byte{0xff, 0}, Value: []byte("{\"a\":\xfe\x00"),
		Headers: []kgo.RecordHeader{{Key: "h", Value: nil}, {Key: "h", Value: []byte{0xff}}, {Key: "", Value: []byte{}}},
	}
	c.Produce(poison, &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("ses-7f3a"), Value: fresh})

	const title = "Rejected: NVDA buy 400 (insufficient buying power)"
	requests := hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) == 1 })
	if got := requests[0].Title(); got != title || !bytes.HasSuffix(requests[0].Body, append([]byte(`"event":`), append(fresh, '}')...)) {
		t.Errorf("the webhook got %s", requests[0].Body)
	}
	if m := chat.Wait(t, 1, 20*time.Second); !strings.Contains(m[0].Text, title) {
		t.Errorf("Slack got %+v", m[0])
	}
	testkafka.Eventually(t, 20*time.Second, "the mail has arrived", func() bool { return len(mail.Mails()) == 1 })
	d.out.Wait(t, 20*time.Second, "warning", title, "→ desk")
	settled(t, c)

	entries := clitest.DeadLetters(t, c, topics.TradeExecutions)
	if len(entries) != 1 {
		t.Fatalf("%d dead letters", len(entries))
	}
	s := entries[0].Envelope.Source
	if !bytes.Equal(s.Key, poison.Key) || !bytes.Equal(s.Value, poison.Value) || len(s.Headers) != 3 ||
		s.Headers[0].Value != nil || !bytes.Equal(s.Headers[1].Value, []byte{0xff}) || s.Headers[2].Value == nil {
		t.Errorf("the dead letter holds %q, %q, %+v", s.Key, s.Value, s.Headers)
	}
	for sample, want := range map[string]string{
		`notifier_records_total{outcome="alerted",topic="trade-executions"}`:         "1",
		`notifier_records_total{outcome="dead_lettered",topic="trade-executions"}`:   "1",
		`notifier_alerts_total{rule="order-rejected",severity="warning"}`:            "1",
		`notifier_deliveries_total{channel="slack",outcome="delivered"}`:             "1",
		`notifier_dead_letters_total{reason="undecodable",topic="trade-executions"}`: "1",
		`notifier_channel_state{channel="hook",state="healthy"}`:                     "1",
		`notifier_topic_available{topic="trade-executions"}`:                         "1",
	} {
		if got := d.metric(sample); got != want {
			t.Errorf("%s is %q, want %s", sample, got, want)
		}
	}
	if code := d.stop(); code != base.ExitDone {
		t.Errorf("stopped with %d", code)
	}
	stopped := func(component string) int {
		return strings.Index(d.err.String(), `"msg":"partitions revoked","component":"`+component)
	}
	if m, dl := stopped("ingest"), stopped("dispatch"); m < 0 || dl < m {
		t.Errorf("matching stopped at %d of the log, delivering at %d: want matching first", m, dl)
	}
	if log := d.err.String(); strings.Contains(log, slacktest.Token) || strings.Contains(log, "s3cret-of-the-hook") || strings.Contains(log, "insufficient") {
		t.Errorf("a secret or a payload stands in the log:\n%s", log)
	}
}

func TestUnreachableChannelLosesNothing(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}, {Name: "other", Partitions: 2}})
	hook, other := webhooktest.Start(t, "", nil), webhooktest.Start(t, "", nil)
	d := start(t, files(t, c, hookChannel("hook", hook.URL)+hookChannel("other", other.URL), fmt.Sprintf(every, "hook, other")))
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 20)...)
	got(t, hook, 20, 20*time.Second)
	hook.Down()
	c.Produce(alerting(topics.TradeExecutions, "a", 20, 50)...)
	c.Produce(alerting(topics.TradeExecutions, "b", 70, 50)...)
	got(t, other, 120, 20*time.Second) // the other channel notices nothing
	testkafka.Eventually(t, 20*time.Second, "the sources are committed all the same", func() bool { return c.Lag(c.Group) == 0 })
	testkafka.Eventually(t, 10*time.Second, "the breaker is open", func() bool {
		return d.metric(`notifier_channel_state{channel="hook",state="healthy"}`) == "0"
	})
	if status, ok, cause := d.component("channel hook"); status != http.StatusOK || ok || !strings.Contains(cause, "unreachable") {
		t.Errorf("a channel that is down is shown with its cause and does not decide: %d, %v, %q", status, ok, cause)
	}
	hook.Up()
	list := got(t, hook, 120, 30*time.Second)
	settled(t, c)
	if n := len(clitest.DeadLetters(t, c)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	var a []int
	for _, n := range list {
		if n < 70 && (len(a) == 0 || n != a[len(a)-1]) {
			a = append(a, n)
		}
	}
	if !slices.IsSorted(a) {
		t.Errorf("alerts of one key came out of order: %v", a)
	}
}

func TestTwoDaemonsOfANewGroupSkipNothing(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	c.Produce(alerting(topics.TradeExecutions, "", 0, 30)...)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	launch(t, dir)
	launch(t, dir)
	got(t, hook, 30, 40*time.Second)
	c.Produce(alerting(topics.TradeExecutions, "", 30, 30)...)
	got(t, hook, 60, 40*time.Second)
	settled(t, c)
}

func TestAnAbortedTransactionRaisesNoAlert(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	cl := c.Client(kgo.TransactionalID("test-" + c.Group))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(ctx, alerting(topics.TradeExecutions, "k", i, 1)...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	if list := got(t, hook, 1, 20*time.Second); !slices.Equal(list, []int{1}) {
		t.Errorf("the alerts are %v, want that of the committed one", list)
	}
}

func TestNullEmptyAndHugeKeysAreDelivered(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	records := alerting(topics.TradeExecutions, "", 0, 7)
	for i, r := range records[3:] {
		r.Key = [][]byte{{}, {}, bytes.Repeat([]byte{'k'}, 1_000_000), bytes.Repeat([]byte{'k'}, 1_000_000)}[i]
	}
	c.Produce(records...)
	got(t, hook, 7, 20*time.Second)
	settled(t, c)
	if n := len(clitest.DeadLetters(t, c)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestMissingDeadLetterTopicBlocksItsPartitionOnly(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 1)...)
	got(t, hook, 1, 20*time.Second)

	dead := topics.DeadLetter(c.Group, topics.TradeExecutions)
	c.Delete(dead)
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	behind := alerting(topics.TradeExecutions, "b", 1, 1)[0]
	poison := &kgo.Record{Topic: string(topics.TradeExecutions), Value: []byte("poison")}
	beside := alerting(topics.TradeExecutions, "c", 2, 1)[0]
	beside.Partition = 1
	if err := cl.ProduceSync(t.Context(), poison, behind, beside).FirstErr(); err != nil {
		t.Fatal(err)
	}
	c.Produce(alerting(topics.PortfolioUpdates, "d", 3, 1)...)
	got(t, hook, 3, 30*time.Second) // 0, and those of the partitions beside at least
	blocked := fmt.Sprintf(`notifier_partition_blocked{partition="0",reason="write",stage="ingest",topic=%q}`, topics.TradeExecutions)
	testkafka.Eventually(t, 30*time.Second, "the partition is shown as blocked", func() bool { return d.metric(blocked) == "1" })
	testkafka.Eventually(t, 30*time.Second, "readiness names the topic", func() bool {
		status, ok, cause := d.component("dead letters")
		return status == http.StatusServiceUnavailable && !ok && strings.Contains(cause, dead+" is missing: run 'notifier topics create'")
	})
	if status, body := d.get("/livez"); status != http.StatusOK {
		t.Errorf("a blocked partition is alive: %d %s", status, body)
	}
	if lag := c.Lag(c.Group); lag < 2 {
		t.Errorf("the lag is %d: the poison was committed and is nowhere", lag)
	}

	for _, s := range c.Shapes(one("hook", 2)) {
		if s.Topic == dead {
			c.Make(s)
		}
	}
	got(t, hook, 4, 60*time.Second)
	settled(t, c)
	if entries := clitest.DeadLetters(t, c, topics.TradeExecutions); len(entries) != 1 || string(entries[0].Envelope.Source.Value) != "poison" || entries[0].State != dlq.Open {
		t.Errorf("%+v", entries)
	}
	testkafka.Eventually(t, 20*time.Second, "the daemon is ready again", func() bool {
		status, _ := d.get("/readyz")
		return status == http.StatusOK && d.metric(blocked) != "1"
	})
}

func TestMissingOutboxBlocksPartitionsWithItsAlerts(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}, {Name: "other", Partitions: 2}})
	hook, other := webhooktest.Start(t, "", nil), webhooktest.Start(t, "", nil)
	rules := `
version: 1
rules:
  - {name: trades, topic: trade-executions, when: event.alert == true, key: [event.k], to: [hook], title: "{{ event.n }}"}
  - {name: portfolios, topic: portfolio-updates, when: event.alert == true, key: [event.k], to: [other], title: "{{ event.n }}"}
`
	d := start(t, files(t, c, hookChannel("hook", hook.URL)+hookChannel("other", other.URL), rules))
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 1)...)
	got(t, hook, 1, 20*time.Second)
	settled(t, c)

	outbox := topics.Outbox(c.Group, "hook")
	c.Delete(outbox)
	c.Produce(alerting(topics.TradeExecutions, "a", 1, 20)...)
	c.Produce(alerting(topics.PortfolioUpdates, "b", 100, 5)...)
	got(t, other, 5, 30*time.Second)
	testkafka.Eventually(t, 30*time.Second, "readiness names the topic", func() bool {
		status, ok, cause := d.component("outboxes")
		return status == http.StatusServiceUnavailable && !ok && strings.Contains(cause, outbox+" is missing")
	})
	if lag := c.Lag(c.Group); lag < 20 {
		t.Errorf("the lag is %d: something was committed that is nowhere", lag)
	}
	for _, s := range c.Shapes([]kafka.Channel{{Name: "hook", Partitions: 2}}) {
		if s.Topic == outbox {
			c.Make(s)
		}
	}
	list := got(t, hook, 21, 60*time.Second)
	if len(list) != 21 {
		t.Errorf("%d posts of 21 alerts", len(list))
	}
	settled(t, c)
}

// TestRewoundOffsetsCauseNoDuplicates puts the source's offsets back, as a
// crash between the outbox and the commit does, only further.
func TestRewoundOffsetsCauseNoDuplicates(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	d := start(t, dir)
	c.Produce(append(alerting(topics.TradeExecutions, "a", 0, 40), alerting(topics.TradeExecutions, "", 40, 40)...)...)
	got(t, hook, 80, 20*time.Second)
	settled(t, c)
	if code := d.stop(); code != base.ExitDone {
		t.Fatalf("stopped with %d", code)
	}

	back := launch(t, dir, "--start", "earliest")
	c.Produce(alerting(topics.TradeExecutions, "a", 80, 1)...)
	got(t, hook, 81, 30*time.Second)
	settled(t, c)
	if list := numbers(t, hook.Requests()); len(list) != 81 {
		t.Errorf("%d posts of 81 alerts", len(list))
	}
	back.err.Wait(t, time.Second, `"msg":"running"`)
	if code := back.stop(); code != base.ExitDone {
		t.Fatalf("stopped with %d", code)
	}
}

// TestGoingBackSendsWhatAStartPassedOver, and nothing else.
func TestGoingBackSendsWhatAStartPassedOver(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	posts := 0
	round := func(first, n, more int, args ...string) *testDaemon {
		t.Helper()
		d := start(t, dir, args...)
		c.Produce(alerting(topics.TradeExecutions, "a", first, n)...)
		posts += n + more
		got(t, hook, posts, 20*time.Second)
		settled(t, c)
		if code := d.stop(); code != base.ExitDone {
			t.Fatalf("stopped with %d", code)
		}
		return d
	}
	round(0, 20, 0)
	c.Produce(alerting(topics.TradeExecutions, "a", 20, 10)...)
	d := round(30, 5, 0, "--start", "latest")
	d.err.Wait(t, time.Second, `"msg":"setting the start"`, `"skipped":10`, `"read_again":0`)
	d = round(35, 1, 10, "--start", "earliest")
	d.err.Wait(t, time.Second, `"msg":"setting the start"`, `"skipped":0`, `"read_again":35`)
	if list := numbers(t, hook.Requests()); len(list) != 36 {
		t.Errorf("%d posts of 36 alerts", len(list))
	}
}

// TestStartAgainEvaluatesNewRule on events that were handled before it. What was sent
// is not sent again, and the next start that goes back sends nothing.
func TestStartAgainEvaluatesNewRule(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	round := func(rule string, event, posts int, alerts string, args ...string) {
		t.Helper()
		d := start(t, files(t, c, hookChannel("hook", hook.URL), strings.Replace(fmt.Sprintf(every, "hook"), "name: every", "name: "+rule, 1)), args...)
		settled(t, c)
		c.Produce(alerting(topics.TradeExecutions, "a", event, 1)...)
		hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) >= posts })
		settled(t, c)
		if n := len(hook.Requests()); n != posts {
			t.Errorf("%d posts, want %d", n, posts)
		}
		if code := d.stop(); code != base.ExitDone {
			t.Fatalf("stopped with %d", code)
		}
		if alerts != "" {
			d.err.Wait(t, time.Second, `"msg":"setting the start"`, `"alerts":"`+alerts)
		}
	}
	c.Produce(alerting(topics.TradeExecutions, "a", 0, 10)...)
	round("old", 10, 11, "")
	// No later outbox record says that event 10 was handled: it raises the new rule's alert.
	round("new", 11, 11+2, "events that were handled before raise none", "--start", "earliest")
	round("new", 12, 13+10+1, "the events are evaluated again", "--start", "earliest", "--again")
	round("new", 13, 24+1, "events that were handled", "--start", "earliest")
	seen := make(map[string]bool)
	for _, r := range hook.Requests() {
		id := r.Header.Get("Webhook-Id")
		if id == "" || seen[id] || bytes.Contains(r.Body, []byte(`"may_be_duplicate":true`)) {
			t.Errorf("%q is sent again, or marked: %s", id, r.Body)
		}
		seen[id] = true
	}
}

// TestPoisonDoesNotAffectOtherRecords puts each kind between good
// events, two of them side by side, one first and one last.
func TestPoisonDoesNotAffectOtherRecords(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	poison := map[string][]byte{
		"truncated": []byte(`{"a":`), "trailing-bytes": []byte(`{"a":1}x`), "not-json": []byte("<a/>"), "not-utf8": []byte("{\"a\":\"\xff\"}"),
		"not-an-object": []byte("[1]"), "too-deep": []byte(strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)),
		"needs-registry": []byte("\x00\x00\x00\x00\x07\x02avro"), "pickle": []byte("\x80\x04\x95"), "decompress": []byte("\x1f\x8b\x08broken gzip"),
	}
	var records []*kgo.Record
	good := 0
	for _, value := range poison {
		records = append(records, &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k"), Value: value})
		if good != 2 { // two adjacent
			records = append(records, alerting(topics.TradeExecutions, "k", good, 1)...)
		} else {
			records = append(records, &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k")}) // a tombstone
		}
		good++
	}
	records = append(records, &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k"), Value: []byte("last")})
	c.Produce(records...)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	if list := got(t, hook, good-1, 20*time.Second); !slices.IsSorted(list) {
		t.Errorf("out of order: %v", list)
	}
	settled(t, c)
	entries := clitest.DeadLetters(t, c, topics.TradeExecutions)
	if len(entries) != len(poison)+1 {
		t.Errorf("%d dead letters, want %d", len(entries), len(poison)+1)
	}
	for _, e := range entries {
		value := e.Envelope.Source.Value
		if want, ok := poison[string(e.Cause)]; ok && string(value) != "last" && !bytes.Equal(value, want) {
			t.Errorf("%s holds %q", e.Cause, value)
		}
		delete(poison, string(e.Cause))
	}
	if len(poison) > 0 {
		t.Errorf("no dead letter says %v", poison)
	}
	if got := d.metric(`notifier_records_total{outcome="skipped",topic="trade-executions"}`); got != "1" {
		t.Errorf("%s tombstones were skipped", got)
	}
}

// TestDispatchWaitsForCommits holds the bound on what a crash can repeat: what
// is settled and not committed.
func TestDispatchWaitsForCommits(t *testing.T) {
	alongside(t)
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to refuse commits")
		return
	}
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	// One at a time: nothing is under way when the bound is met, nor settled behind a gap.
	d := start(t, files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, concurrency: 1, partitions: 2}\n", hook.URL), fmt.Sprintf(every, "hook")))
	refused := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: topics.OutboxGroup(c.Group), Err: kerr.CoordinatorLoadInProgress, Count: -1})
	c.Produce(alerting(topics.TradeExecutions, "", 0, 1000)...)
	hook.Wait(30*time.Second, func(r []webhooktest.Request) bool { return len(r) >= 2*64 })
	testkafka.Eventually(t, 60*time.Second, "commits fail for a while", func() bool {
		n, _ := strconv.ParseFloat(d.metric(`notifier_commit_failures_total{stage="dispatch"}`), 64)
		return n >= 2
	})
	// Per partition one more than 64.
	if n := len(hook.Requests()); n > 2*65 {
		t.Errorf("%d posts without a commit", n)
	}
	refused.Remove()
	list := got(t, hook, 1000, 60*time.Second)
	settled(t, c)
	if len(list) != 1000 {
		t.Errorf("%d posts of 1000 alerts", len(list))
	}
}
