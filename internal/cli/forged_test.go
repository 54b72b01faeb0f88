package cli

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// topicID is a topic's id in text.
func topicID(t testing.TB, c *testkafka.Cluster, topic string) string {
	t.Helper()
	details, err := c.Admin.ListTopics(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return envelope.TopicID(details[topic].ID)
}

// forgedMove is a request for more than any outbox holds.
func forgedMove(t testing.TB, c *testkafka.Cluster, from, to, by string) *kgo.Record {
	t.Helper()
	below := make(map[int32]int64)
	for id := range int32(100) {
		below[id] = math.MaxInt64
	}
	q := control.Request{From: from, To: to, TopicID: topicID(t, c, topics.Outbox(c.Group, from)), Below: below, By: by}
	return q.Record(c.Group)
}

// TestForgedMoveEndsAtTheLogsEnd: a client that may write to the replay topic may move
// pending alerts, as the command does, and nothing that comes later.
func TestForgedMoveEndsAtTheLogsEnd(t *testing.T) {
	if testkafka.Bare(t).Real() {
		t.Log("a real broker cannot be told to refuse commits")
		return
	}
	c := testkafka.Start(t, []kafka.Channel{{Name: "old", Partitions: 1}, {Name: "new", Partitions: 1}})
	down, up := webhooktest.Start(t, "", revoked), webhooktest.Start(t, "", nil)
	dir := files(t, c, fmt.Sprintf("  old: {webhook: {url: %q}, partitions: 1}\n  new: {webhook: {url: %q}, partitions: 1}\n", down.URL, up.URL), fmt.Sprintf(every, "old"))
	d := start(t, dir)
	const n, keys = 20, 3
	c.Produce(keyed(1, 1)...)
	testkafka.Eventually(t, 20*time.Second, "one waits", func() bool { return c.Lag(topics.OutboxGroup(c.Group)) == 1 })
	c.Produce(keyed(n, keys)[1:]...)
	waitForLag(t, c, "old", n)
	allow := noCommits(c, topics.OutboxGroup(c.Group)) // so that it stays in force for as long as the test looks
	c.Produce(forgedMove(t, c, "old", "new", "eve\x1b[2J\n"+strings.Repeat("x", 5000)))
	got(t, up, n, 30*time.Second)

	// In force: the channel shows it, and who requested it.
	by := "eve [2J " + strings.Repeat("x", 53) + "…"
	testkafka.Eventually(t, 20*time.Second, "it is shown", func() bool {
		_, _, cause := d.component("channel old")
		return strings.Contains(cause, "waiting alerts move to new, requested by "+by)
	})
	if _, page := d.get("/"); !strings.Contains(page, "waiting alerts move to new, requested by eve") {
		t.Errorf("the page:\n%s", page)
	}
	d.seen(t)
	listed := command(t, c, "channels", "list", "-c", dir+"/notifier.yaml").Want(t, base.ExitDone, "old: ")
	if wrapped := strings.Join(strings.Fields(listed.Out), " "); !strings.Contains(wrapped, "waiting alerts move to new, requested by eve") {
		t.Errorf("the list:\n%s", listed.Out)
	}
	o := command(t, c, "channels", "list", "-o", "json", "-c", dir+"/notifier.yaml").Want(t, base.ExitDone).Objects(t)
	for _, channel := range o {
		moving, _ := json.Marshal(channel["moving"])
		if want := fmt.Sprintf(`[{"by":%q,"to":"new"}]`, by); channel["channel"] == "old" && string(moving) != want {
			t.Errorf("moving: %s, want %s", moving, want)
		}
		if channel["channel"] == "new" && channel["moving"] != nil {
			t.Errorf("new: %s", moving)
		}
	}
	d.err.Wait(t, 10*time.Second, `"level":"WARN"`, "move request clamped to the end of the outbox", `"channel":"old"`, `"to":"new"`, by)
	d.err.Wait(t, 10*time.Second, `"level":"INFO"`, "moving pending alerts to another channel", `"channel":"old"`, `"to":"new"`, by)

	// What comes while it is in force stays.
	c.Produce(alerting(topics.TradeExecutions, "k0", n, 1)...)
	waitForLag(t, c, "old", n+1)
	allow()
	d.err.Wait(t, 30*time.Second, "move ended", `"channel":"old"`, `"to":"new"`, by)
	testkafka.Eventually(t, 20*time.Second, "the request is settled", func() bool { return c.Lag(c.Group) == 0 })
	testkafka.Eventually(t, 20*time.Second, "it is shown no longer", func() bool {
		_, _, cause := d.component("channel old")
		return !strings.Contains(cause, "goes to new")
	})
	c.Produce(alerting(topics.TradeExecutions, "k1", n+1, 10)...)
	down.SetAnswer(nil)
	testkafka.Eventually(t, 90*time.Second, "they are the old channel's", func() bool { return c.Lag(topics.OutboxGroup(c.Group)) == 0 })
	if list := numbers(t, up.Requests()); distinct(list) != n {
		t.Errorf("the other channel got %v", list)
	}
	if n := len(clitest.DeadLetters(t, c)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// TestForgedRequestsAreSettled whatever they ask for: none holds up the others,
// none ends the daemon, none makes a metric's series.
func TestForgedRequestsAreSettled(t *testing.T) {
	c := testkafka.Start(t, one("hook", 1))
	hook := webhooktest.Start(t, "", refuses)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	c.Produce(bad("k", 0, 1)...)
	testkafka.Eventually(t, 20*time.Second, "a dead letter", func() bool { return len(clitest.DeadLetters(t, c)) == 1 })
	letter := clitest.DeadLetters(t, c)[0]
	hook.SetAnswer(nil)
	series := func() int {
		_, body := d.get("/metrics")
		n := 0
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "notifier_") && !strings.Contains(line, "_bucket") {
				n++
			}
		}
		return n
	}
	before := series()
	good := replay.Request{Entry: letter.ID, Source: topics.TradeExecutions, Version: letter.Offset, Channel: "hook", By: "ann@desk", Run: "rp_1", Total: 1}
	var forged []*kgo.Record
	forge := func(change func(*replay.Request)) {
		q := good
		change(&q)
		forged = append(forged, q.Record(c.Group))
	}
	forge(func(q *replay.Request) { q.Version = math.MaxInt64 })
	forge(func(q *replay.Request) { q.Version, q.Source = 1<<40, topics.ForwardTestEvents })
	forge(func(q *replay.Request) { q.Entry = strings.Repeat("x", 100_000) })
	forge(func(q *replay.Request) { q.Entry = "a\nb" })
	forge(func(q *replay.Request) { q.Entry, q.To, q.Channel = "dl_nosuch", true, "nosuch" })
	forge(func(q *replay.Request) { q.To, q.Channel = true, "a b\x00" })
	forge(func(q *replay.Request) { q.Entry, q.Channel = "dl_other", strings.Repeat("c", 10_000) })
	forge(func(q *replay.Request) { q.Entry, q.Run, q.Total = "dl_none", strings.Repeat("r", 10_000), -1 })
	forge(func(q *replay.Request) { q.Source = "payments" })
	with := func(name, value string) *kgo.Record {
		r := good.Record(c.Group)
		for i, h := range r.Headers {
			if h.Key == name {
				r.Headers[i].Value = []byte(value)
			}
		}
		return r
	}
	forged = append(forged,
		with("notifier.entry-version", "-1"), with("notifier.entry-version", "99999999999999999999"), with("notifier.entry", ""),
		&kgo.Record{Topic: topics.Replay(c.Group), Value: []byte("hello")},
		&kgo.Record{Topic: topics.Replay(c.Group), Headers: []kgo.RecordHeader{{Key: "notifier.move", Value: []byte("1")}, {Key: "notifier.channel", Value: []byte("a b")}, {Key: "notifier.move-to", Value: []byte("hook")}, {Key: "notifier.move-below", Value: []byte("0:5")}}},
		(&control.Request{From: "nosuch", To: "hook", Below: map[int32]int64{0: math.MaxInt64}}).Record(c.Group),
		(&control.Request{From: "hook", To: "nosuch", Below: map[int32]int64{0: math.MaxInt64}}).Record(c.Group),
		(&control.Request{From: "hook", To: "a b", Below: map[int32]int64{0: 1}}).Record(c.Group),
		(&control.Request{From: strings.Repeat("h", 10_000), To: "hook", Below: map[int32]int64{0: 1}}).Record(c.Group),
	)
	options := with("notifier.options", strings.Repeat(",rematch-not,", 50_000)+"\x00")
	c.Produce(append(forged, options)...)
	replayed(t, hook, 1) // the last of them is no forgery: what it asks for besides is not known
	testkafka.Eventually(t, 60*time.Second, "all are settled", func() bool { return c.Lag(c.Group) == 0 })
	testkafka.Eventually(t, 20*time.Second, "the dead letter is resolved", func() bool { return len(clitest.DeadLetters(t, c)) == 0 })
	if after := series(); after != before {
		t.Errorf("%d series became %d", before, after)
	}
	if n := d.metric(`notifier_replays_total{outcome="foreign"}`); n == "0" || n == "" {
		t.Errorf("%q foreign requests are counted", n)
	}
	if log := d.err.String(); strings.Count(log, "not ours") > 10 {
		t.Errorf("the log is not sampled: %d lines", strings.Count(log, "not ours"))
	} else if !strings.Contains(log, `"topic":"`+topics.Replay(c.Group)) {
		t.Errorf("no line says where they stand")
	}
	if again := again(t, hook); len(again) != 1 {
		t.Errorf("%d replays were sent", len(again))
	}
}

// TestForgedOutboxRecordsBlockNothing: what is behind them is sent, and each is
// counted where they stand.
func TestForgedOutboxRecordsBlockNothing(t *testing.T) {
	c := testkafka.Start(t, one("hook", 1))
	hook := webhooktest.Start(t, "", nil)
	d := start(t, files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, partitions: 1}\n", hook.URL), fmt.Sprintf(every, "hook")))
	c.Produce(alerting(topics.TradeExecutions, "k", 0, 1)...)
	got(t, hook, 1, 30*time.Second)
	settled(t, c)
	_, before := d.get("/metrics")
	topic := topics.Outbox(c.Group, "hook")
	for i := range 50 {
		e := &envelope.Envelope{
			Source: envelope.Source{Topic: fmt.Sprintf("no-such-topic-%d", i), Value: []byte("{}"), Time: time.Now()}, Delivery: fmt.Sprintf("dl_%d", i), Channel: "hook",
			Alert: &alert.Alert{ID: "al_x", Rule: fmt.Sprintf("no-such-rule-%d", i), Severity: alert.Warning},
		}
		switch i % 3 {
		case 1: // a replay is looked up in its dead-letter topic first
			e.Replay = &envelope.Replay{Entry: e.Delivery, Version: math.MaxInt64, Number: 1, By: "eve"}
		case 2:
			e.Source.Topic, e.Alert.Severity = string(topics.TradeExecutions), alert.Severity(fmt.Sprint("severity-", i))
		}
		r := outbox.Record(e, topic, 1)
		c.Produce(r)
	}
	c.Produce(alerting(topics.TradeExecutions, "k", 1, 1)...)
	got(t, hook, 2, 30*time.Second)
	settled(t, c)
	if n := d.metric(`notifier_outbox_foreign_records_total{channel="hook"}`); n != "50" {
		t.Errorf("%s foreign records are counted", n)
	}
	_, after := d.get("/metrics")
	for line := range strings.Lines(after) {
		if strings.Contains(line, "no-such") || strings.Contains(line, "severity-") {
			t.Errorf("a series: %s", line)
		}
	}
	if a, b := strings.Count(before, "\nnotifier_"), strings.Count(after, "\nnotifier_"); b > a+20 { // groups whose lag is measured for the first time
		t.Errorf("%d samples became %d", a, b)
	}
	if log := d.err.String(); strings.Count(log, "not ours") > 5 || !strings.Contains(log, `"topic":"`+topic+`","partition":0,"offset":1`) {
		t.Errorf("%d lines are said of them", strings.Count(log, "not ours"))
	}
	if n := len(hook.Requests()); n != 2 || len(clitest.DeadLetters(t, c)) != 0 {
		t.Errorf("%d posts, %d dead letters", n, len(clitest.DeadLetters(t, c)))
	}
}

// TestTimestampsInTheWrongUnitExpireNothing: the alert is of the moment at which
// its event came, is sent, and says nothing of being late.
func TestTimestampsInTheWrongUnitExpireNothing(t *testing.T) {
	c := testkafka.Start(t, one("hook", 1))
	hook := webhooktest.Start(t, "", nil)
	rules := strings.Replace(fmt.Sprintf(every, "hook"), "severity: warning", "severity: warning\n    expire: 1h", 1)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), rules))
	began := time.Now()
	records := alerting(topics.TradeExecutions, "k", 0, 7)
	records[0].Timestamp = time.UnixMilli(began.Unix())      // seconds
	records[1].Timestamp = time.UnixMilli(began.UnixMicro()) // microseconds
	records[2].Timestamp = began.AddDate(30, 0, 0)
	records[3].Value = []byte(`{"alert":true,"n":3,"k":"k","occurred_at":"2999-01-01T00:00:00Z","timestamp":"1970-01-21T00:00:00Z"}`)
	records[4].Value = []byte(`{"alert":true,"n":4,"k":"k","occurred_at":202611291017}`) // in milliseconds 1976
	records[5].Value = []byte(`{"alert":true,"n":5,"k":"k","occurred_at":"soon"}`)
	old := began.UTC().Add(-2 * time.Hour)
	records[6].Value = fmt.Appendf(nil, `{"alert":true,"n":6,"k":"k","occurred_at":[%d,%d,%d,%d,%d]}`, old.Year(), old.Month(), old.Day(), old.Hour(), old.Minute())
	for _, r := range records { // each in a batch of its own, as its timestamp wants it
		c.Produce(r)
	}
	got(t, hook, 6, 30*time.Second)
	settled(t, c)
	for _, r := range hook.Requests() {
		var body struct {
			Alert struct {
				EventTime   time.Time `json:"event_time"`
				LateSeconds float64   `json:"late_seconds"`
			}
		}
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Fatal(err)
		}
		if at := body.Alert.EventTime; at.Before(began.Add(-time.Second)) || at.After(time.Now()) || body.Alert.LateSeconds != 0 {
			t.Errorf("an event of %s, %v s late", at, body.Alert.LateSeconds)
		}
	}
	for repair, want := range map[string]string{"record-timestamp": "3", "event-time": "3"} {
		if n := d.metric(fmt.Sprintf(`notifier_events_repaired_total{repair=%q,topic="trade-executions"}`, repair)); n != want {
			t.Errorf("%s repairs %s, want %s", n, repair, want)
		}
	}
	if n := d.metric(`notifier_deliveries_total{channel="hook",outcome="expired"}`); n != "1" {
		t.Errorf("%s expired, want the one whose time was read from an array", n)
	}
}
