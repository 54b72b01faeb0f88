package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// The daemon's half of replays: requests are written here as the command
// writes them.

// refuses answers with 422 what carries the symbol BAD, and takes all else.
func refuses(int, webhooktest.Request) webhooktest.Answer {
	return webhooktest.Answer{ByBody: func(body []byte) webhooktest.Answer {
		if bytes.Contains(body, []byte(`"symbol":"BAD"`)) {
			return webhooktest.Answer{Status: 422, Body: `{"error":"bad symbol"}`}
		}
		return webhooktest.Answer{}
	}}
}

// bad returns records that raise an alert each, numbered from first, which
// refuses refuses; each is followed by one that it takes, numbered from fine:
// a provider that takes nothing at all is another matter.
func bad(key string, first, n int) []*kgo.Record {
	var records []*kgo.Record
	for i := range n {
		r := alerting(topics.TradeExecutions, key, first+i, 1)[0]
		r.Value = bytes.Replace(r.Value, []byte("{"), []byte(`{"symbol":"BAD",`), 1)
		records = append(append(records, r), alerting(topics.TradeExecutions, key, fine+first+i, 1)...)
	}
	return records
}

const fine = 1_000_000

// again returns the posts of replays.
func again(t testing.TB, s *webhooktest.Server) []webhooktest.Request {
	t.Helper()
	return slices.DeleteFunc(s.Requests(), func(r webhooktest.Request) bool { return !isReplay(r) })
}

// isReplay looks at a post without decoding it.
func isReplay(r webhooktest.Request) bool { return bytes.Contains(r.Body, []byte(`"replay":`)) }

// replayed waits until so many replays were posted.
func replayed(t testing.TB, s *webhooktest.Server, n int) {
	t.Helper()
	seen, replays := 0, 0 // each post is looked at once
	s.Wait(60*time.Second, func(list []webhooktest.Request) bool {
		for ; seen < len(list); seen++ {
			if isReplay(list[seen]) {
				replays++
			}
		}
		return replays >= n
	})
}

// requests returns one request for each entry.
func requests(entries []*dlq.Entry, change func(*replay.Request)) []*replay.Request {
	run := replay.NewRun(time.Now())
	var list []*replay.Request
	for _, e := range entries {
		q := &replay.Request{
			Entry: e.ID, Source: topics.Name(e.Envelope.Source.Topic), Version: e.Offset, Channel: e.Envelope.Channel,
			By: "ann@desk", Comment: "venue is back", Run: run, Total: len(entries),
		}
		if change != nil {
			change(q)
		}
		list = append(list, q)
	}
	return list
}

// ask writes requests to the replay topic.
func ask(t testing.TB, c *testkafka.Cluster, list ...*replay.Request) {
	t.Helper()
	var records []*kgo.Record
	for _, q := range list {
		records = append(records, q.Record(c.Group))
	}
	c.Produce(records...)
}

// standing returns how many entries there are in each state, closed ones too.
func standing(t testing.TB, c *testkafka.Cluster) map[dlq.State]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	count := make(map[dlq.State]int)
	r := dlq.NewReader(c.Client(), c.Group)
	spans, err := r.Ends(ctx, nil)
	if err == nil {
		err = replay.Each(ctx, r, spans, dlq.Query{Closed: true}, func(e *dlq.Entry) bool {
			count[e.State]++
			return true
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// become waits until the entries are in these states.
func become(t testing.TB, c *testkafka.Cluster, want map[dlq.State]int) {
	t.Helper()
	var have map[dlq.State]int
	defer func() {
		if t.Failed() {
			t.Logf("the entries are %v, want %v", have, want)
		}
	}()
	testkafka.Eventually(t, 30*time.Second, fmt.Sprintf("the entries are %v", want), func() bool {
		have = standing(t, c)
		if len(have) != len(want) {
			return false
		}
		for state, n := range want {
			if have[state] != n {
				return false
			}
		}
		return true
	})
}

// alertOf decodes the alert of a post.
func alertOf(t testing.TB, r webhooktest.Request) (a struct {
	Delivery, Title string
	Replay          int
},
) {
	t.Helper()
	var doc struct{ Alert json.RawMessage }
	if err := json.Unmarshal(r.Body, &doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(doc.Alert, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAReplayThatSucceedsResolvesItsEntry(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", refuses)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	c.Produce(bad("k", 0, 3)...)
	become(t, c, map[dlq.State]int{dlq.Open: 3})
	gauge := fmt.Sprintf(`notifier_dead_letters_open{topic=%q}`, topics.TradeExecutions)
	testkafka.Eventually(t, 10*time.Second, "the gauge counts them", func() bool { return d.metric(gauge) == "3" })

	hook.SetAnswer(nil)
	entries := clitest.DeadLetters(t, c)
	slices.Reverse(entries)
	ask(t, c, requests(entries, nil)...)
	hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) == 9 })
	for i, r := range again(t, hook) {
		if a := alertOf(t, r); a.Delivery != entries[i].ID || a.Replay != 1 || a.Title != fmt.Sprint(i) || r.Header.Get("webhook-id") != entries[i].ID {
			t.Errorf("post %d is %+v, want the entry %s in source order", i, a, entries[i].ID)
		}
	}
	become(t, c, map[dlq.State]int{dlq.Resolved: 3})
	e, err := replay.Find(t.Context(), dlq.NewReader(c.Client(), c.Group), entries[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if cl := e.Closed; cl.By != "ann@desk" || cl.Comment != "venue is back (delivered to hook)" || time.Since(cl.At) > time.Minute {
		t.Errorf("it was closed so: %+v", cl)
	}
	settled(t, c)
	testkafka.Eventually(t, 10*time.Second, "the metrics say so", func() bool {
		return d.metric(gauge) == "0" && d.metric(`notifier_replays_total{outcome="resolved"}`) == "3"
	})
	line := d.err.Wait(t, 10*time.Second, `"msg":"replay run"`)
	if !strings.Contains(line, `"by":"ann@desk"`) || !strings.Contains(line, `"resolved":3`) || !strings.Contains(line, `"requests":3`) {
		t.Errorf("the run's line is %s", line)
	}
}

// TestMissingOutboxHoldsUpNoOtherReplays: only the replays of its own channel wait.
func TestMissingOutboxHoldsUpNoOtherReplays(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, []kafka.Channel{{Name: "desk", Partitions: 1}, {Name: "hook", Partitions: 1}})
	desk, hook := webhooktest.Start(t, "", refuses), webhooktest.Start(t, "", refuses)
	d := start(t, files(t, c, hookChannel("desk", desk.URL)+hookChannel("hook", hook.URL), fmt.Sprintf(every, "desk, hook")))
	c.Produce(bad("k", 0, 3)...)
	become(t, c, map[dlq.State]int{dlq.Open: 6})
	settled(t, c)
	desk.SetAnswer(nil)
	hook.SetAnswer(nil)
	c.Delete(topics.Outbox(c.Group, "desk"))
	of := func(channel string) []*replay.Request {
		return requests(slices.DeleteFunc(clitest.DeadLetters(t, c), func(e *dlq.Entry) bool { return e.Envelope.Channel != channel }), nil)
	}
	ask(t, c, of("desk")...)
	testkafka.Eventually(t, 20*time.Second, "they are said to wait", func() bool {
		_, _, cause := d.component("blocked")
		return strings.Contains(cause, topics.Outbox(c.Group, "desk"))
	})
	ask(t, c, of("hook")...)
	replayed(t, hook, 3)
	become(t, c, map[dlq.State]int{dlq.Resolved: 3, dlq.Waiting: 3})
	c.Make(c.Shapes([]kafka.Channel{{Name: "desk", Partitions: 1}})...)
	replayed(t, desk, 3)
	become(t, c, map[dlq.State]int{dlq.Resolved: 6})
}

func TestAReplayThatFailsThreeTimesIsQuarantined(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", refuses)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	c.Produce(bad("k", 0, 1)...)
	become(t, c, map[dlq.State]int{dlq.Open: 1})
	first := clitest.DeadLetters(t, c)[0]
	for n := 1; n <= 3; n++ {
		ask(t, c, requests(clitest.DeadLetters(t, c), nil)...)
		testkafka.Eventually(t, 20*time.Second, "it failed again", func() bool {
			e := clitest.DeadLetters(t, c)[0]
			return e.Replays == n && e.State != dlq.Waiting
		})
	}
	e := clitest.DeadLetters(t, c)[0]
	if e.State != dlq.Quarantined || e.ID != first.ID || !e.FirstFailed.Equal(first.FirstFailed) || !e.LastFailed.After(first.LastFailed) ||
		len(e.Envelope.Source.Headers) != 0 || string(e.Envelope.Source.Value) != string(first.Envelope.Source.Value) {
		t.Errorf("after three replays it is %+v", e)
	}
	ask(t, c, requests([]*dlq.Entry{e}, nil)...)
	testkafka.Eventually(t, 20*time.Second, "the request without force is dropped", func() bool {
		return d.metric(`notifier_replays_total{outcome="dropped"}`) == "1"
	})
	if n := len(again(t, hook)); n != 3 {
		t.Errorf("%d replays were posted", n)
	}
	hook.SetAnswer(nil)
	ask(t, c, requests([]*dlq.Entry{e}, func(q *replay.Request) { q.Force = true })...)
	become(t, c, map[dlq.State]int{dlq.Resolved: 1})
	if a := alertOf(t, again(t, hook)[3]); a.Replay != 4 {
		t.Errorf("the forced one is %+v", a)
	}
	for outcome, want := range map[string]string{"reopened": "2", "quarantined": "1", "resolved": "1", "dropped": "1"} {
		testkafka.Eventually(t, 10*time.Second, outcome+" is counted", func() bool {
			return d.metric(fmt.Sprintf(`notifier_replays_total{outcome=%q}`, outcome)) == want
		})
	}
}

func TestRepeatedRequestsSendEntryOnce(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", refuses)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	d := start(t, dir)
	c.Produce(bad("", 0, 40)...)
	become(t, c, map[dlq.State]int{dlq.Open: 40})
	settled(t, c)
	d.stop() // it is down for hours, and people ask twice
	entries := clitest.DeadLetters(t, c)
	ask(t, c, requests(entries, nil)...)
	become(t, c, map[dlq.State]int{dlq.Waiting: 40})
	ask(t, c, requests(entries[:20], nil)...)
	// One is discarded meanwhile, one stands there with another version.
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: entries[0].Topic, Key: []byte(entries[0].ID)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	// Hundreds mean versions that never were, as of a topic that was recreated.
	var stale []*replay.Request
	for i := range 300 {
		stale = append(stale, requests(entries[:1], func(q *replay.Request) { q.Entry, q.Version = fmt.Sprint("dl_stale", i), 1<<40 })...)
	}
	ask(t, c, stale...)
	ask(t, c, requests(entries[1:2], func(q *replay.Request) { q.Entry = "dl_nobody" })...)
	c.Produce(&kgo.Record{Topic: topics.Replay(c.Group), Value: []byte("garbage")})

	hook.SetAnswer(nil)
	back := start(t, dir)
	become(t, c, map[dlq.State]int{dlq.Resolved: 39, dlq.Discarded: 1})
	settled(t, c)
	// Beside those: the 20 that were asked for twice but for the discarded one's
	// two, which came too late, and the entry that nobody knows.
	if got, want := back.metric(`notifier_replays_total{outcome="dropped"}`), fmt.Sprint(300+19+2+1); got != want {
		t.Errorf("%s requests were dropped, want %s", got, want)
	}
	posts := make(map[string]int)
	for _, r := range again(t, hook) {
		posts[alertOf(t, r).Delivery]++
	}
	for id, n := range posts {
		if n != 1 || id == entries[0].ID {
			t.Errorf("%s was sent %d times", id, n)
		}
	}
	if len(posts) != 39 {
		t.Errorf("%d entries were sent", len(posts))
	}
	if code := back.stop(); code != base.ExitDone {
		t.Errorf("stopped with %d", code)
	}
}

// TestReplaySurvivesCrashes ends the daemon again and again while it
// replays: no entry is lost, none is forgotten.
func TestReplaySurvivesCrashes(t *testing.T) {
	alongside(t)
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", refuses)
	dir := files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook"))
	d := start(t, dir)
	const n = 600 // more than may be under way at once
	for i := range 40 {
		c.Produce(bad(fmt.Sprint("k", i), i*n/40, n/40)...)
	}
	become(t, c, map[dlq.State]int{dlq.Open: n})
	entries := clitest.DeadLetters(t, c)
	slices.Reverse(entries)
	hook.SetAnswer(nil)
	ask(t, c, requests(entries, nil)...)
	for i := range 4 {
		replayed(t, hook, n*i/5)
		d.stop()
		d = start(t, dir)
	}
	become(t, c, map[dlq.State]int{dlq.Resolved: n})
	settled(t, c)
	posts := again(t, hook)
	sent := make(map[string]int)
	order := make(map[string][]int)
	for _, r := range posts {
		a := alertOf(t, r)
		sent[a.Delivery]++
		var number int
		_, _ = fmt.Sscan(a.Title, &number)
		if sent[a.Delivery] == 1 {
			key := fmt.Sprint(number / (n / 40))
			order[key] = append(order[key], number)
		}
	}
	if len(sent) != n {
		t.Errorf("%d of %d entries were sent", len(sent), n)
	}
	if len(posts) != n { // each stop waits for what is in flight
		t.Errorf("%d posts for %d entries", len(posts), n)
	}
	for key, list := range order {
		if !slices.IsSorted(list) {
			t.Errorf("the replays of key %s came out of order: %v", key, list)
		}
	}
}

func TestEditedPoisonIsDelivered(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}, {Name: "other", Partitions: 2}})
	hook, other := webhooktest.Start(t, "", nil), webhooktest.Start(t, "", nil)
	start(t, files(t, c, hookChannel("hook", hook.URL)+hookChannel("other", other.URL), fmt.Sprintf(every, "hook, other")))
	c.Produce(&kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k"), Value: []byte(`{"alert":true,"n":7,"k":`)},
		&kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k"), Value: []byte("pi")})
	become(t, c, map[dlq.State]int{dlq.Open: 2})
	var truncated, garbage *dlq.Entry
	for _, e := range clitest.DeadLetters(t, c) {
		if e.Cause == outcome.Truncated {
			truncated = e
		} else {
			garbage = e
		}
	}
	// As it is it fails again.
	ask(t, c, requests([]*dlq.Entry{truncated, garbage}, nil)...)
	testkafka.Eventually(t, 20*time.Second, "both failed again", func() bool {
		list := clitest.DeadLetters(t, c)
		return len(list) == 2 && list[0].Replays == 1 && list[1].Replays == 1
	})
	// Edited wrongly it does too, says by whom, and keeps the original.
	again := find(t, c, truncated.ID)
	ask(t, c, requests([]*dlq.Entry{again}, func(q *replay.Request) { q.Edited = []byte(`{"alert":`) })...)
	testkafka.Eventually(t, 20*time.Second, "it failed once more", func() bool { return find(t, c, truncated.ID).Replays == 2 })
	again = find(t, c, truncated.ID)
	if again.EditedBy != "ann@desk" || string(again.Envelope.Source.Value) != `{"alert":true,"n":7,"k":` {
		t.Errorf("the edited one is now %+v, %s", again, again.Envelope.Source.Value)
	}
	// Edited well it is an event like any other.
	ask(t, c, requests([]*dlq.Entry{again}, func(q *replay.Request) { q.Edited = []byte(`{"alert":true,"n":7,"k":"fixed"}`) })...)
	for _, s := range []*webhooktest.Server{hook, other} {
		r := s.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) == 1 })[0]
		if a := alertOf(t, r); a.Title != "7" || a.Replay != 3 || !strings.Contains(string(r.Body), `"event":{"alert":true,"n":7,"k":"fixed"}`) {
			t.Errorf("it was sent as %s", r.Body)
		}
	}
	become(t, c, map[dlq.State]int{dlq.Resolved: 1, dlq.Open: 1})
	if e := find(t, c, truncated.ID); e.Closed == nil || e.Closed.EditedBy != "ann@desk" {
		t.Errorf("it was closed so: %+v", e.Closed)
	}
	// An event that no rule wants is no dead letter any longer.
	ask(t, c, requests([]*dlq.Entry{find(t, c, garbage.ID)}, func(q *replay.Request) { q.Edited = []byte(`{}`) })...)
	become(t, c, map[dlq.State]int{dlq.Resolved: 2})
	if e := find(t, c, garbage.ID); !strings.Contains(e.Closed.Comment, "no rule matches it") {
		t.Errorf("it was closed so: %+v", e.Closed)
	}
	settled(t, c)
}

func TestReplayToOtherChannelAndRematch(t *testing.T) {
	c := testkafka.Start(t, []kafka.Channel{{Name: "hook", Partitions: 2}, {Name: "other", Partitions: 2}})
	hook, other := webhooktest.Start(t, "", refuses), webhooktest.Start(t, "", nil)
	channels := hookChannel("hook", hook.URL) + hookChannel("other", other.URL)
	d := start(t, files(t, c, channels, fmt.Sprintf(every, "hook")))
	c.Produce(bad("", 0, 5)...)
	become(t, c, map[dlq.State]int{dlq.Open: 5})
	d.stop()
	hook.SetAnswer(nil)
	entries := clitest.DeadLetters(t, c)
	slices.SortFunc(entries, func(a, b *dlq.Entry) int {
		return strings.Compare(a.Envelope.Alert.Title.String(), b.Envelope.Alert.Title.String())
	})

	// The rule says something else now, and no longer wants the number 3.
	rules := strings.ReplaceAll(fmt.Sprintf(every, "hook"), `"{{ event.n }}"`, `"{{ event.n + 100 }}"`)
	rules = strings.ReplaceAll(rules, "event.alert == true", "event.alert == true and event.n != 3")
	start(t, files(t, c, channels, rules))
	list := requests(entries, nil)
	list[1].To, list[1].Channel = true, "other"
	list[2].Rematch, list[3].Rematch = true, true
	list[4].To, list[4].Channel = true, "nowhere"
	ask(t, c, list...)
	become(t, c, map[dlq.State]int{dlq.Resolved: 4, dlq.Open: 1})
	title := func(s *webhooktest.Server, skip int) []string {
		var titles []string
		for _, r := range s.Requests()[skip:] {
			titles = append(titles, alertOf(t, r).Delivery+" "+r.Title())
		}
		slices.Sort(titles)
		return titles
	}
	want := []string{entries[0].ID + " 0", entries[2].ID + " 102"}
	slices.Sort(want)
	if got := title(hook, 10); !slices.Equal(got, want) {
		t.Errorf("hook got %v, want the first as it was raised and the third through its rule: %v", got, want)
	}
	if got := title(other, 0); !slices.Equal(got, []string{entries[1].ID + " 1"}) {
		t.Errorf("other got %v", got)
	}
	if e := find(t, c, entries[3].ID); !strings.Contains(e.Closed.Comment, "rule every no longer matches it") {
		t.Errorf("the fourth was closed so: %+v", e.Closed)
	}
	if e := find(t, c, entries[4].ID); e.Reason != outcome.NoLongerRouted || e.Replays != 1 || e.Detail != "channel nowhere is no longer configured" {
		t.Errorf("the fifth is %+v", e)
	}
	settled(t, c)
}

// TestReplaysLetLiveAlertsPass has hundreds of dead letters wait for a channel
// of one post at a time: a live alert comes before most of them.
func TestReplaysLetLiveAlertsPass(t *testing.T) {
	alongside(t)
	const n = 600 // more than twice what may stand before a live alert
	var poison []*kgo.Record
	for i := range n {
		poison = append(poison, &kgo.Record{Topic: string(topics.TradeExecutions), Value: fmt.Appendf(nil, `{"alert":true,"n":%d,"k":`, i)})
	}
	for name, tt := range map[string]struct {
		records []*kgo.Record
		change  func(*replay.Request)
	}{
		"deliveries": {bad("", 0, n), nil},
		// They become alerts only now, and their entries are closed at once.
		"records": {poison, func(q *replay.Request) { q.Edited = []byte(`{"alert":true,"n":1,"k":"k"}`) }},
	} {
		t.Run(name, func(t *testing.T) {
			alongside(t)
			c := testkafka.Start(t, one("hook", 1))
			hook := webhooktest.Start(t, "", refuses)
			start(t, files(t, c, fmt.Sprintf("  hook: {webhook: {url: %q}, concurrency: 1, partitions: 1}\n", hook.URL), fmt.Sprintf(every, "hook")))
			c.Produce(tt.records...)
			become(t, c, map[dlq.State]int{dlq.Open: n})
			settled(t, c)
			fixed := make(chan struct{})
			hook.SetAnswer(func(int, webhooktest.Request) webhooktest.Answer {
				<-fixed
				return webhooktest.Answer{}
			})
			outbox := topics.Outbox(c.Group, "hook")
			before, posted := end(t, c, outbox), len(hook.Requests())
			ask(t, c, requests(clitest.DeadLetters(t, c), tt.change)...)
			testkafka.Eventually(t, 20*time.Second, "the outbox has what it may", func() bool { return end(t, c, outbox) >= before+256 })
			c.Produce(alerting(topics.TradeExecutions, "live", n, 1)...)
			testkafka.Eventually(t, 20*time.Second, "the live alert is in the outbox", func() bool { return behind(t, c, string(topics.TradeExecutions)) == 0 })
			most := int64(256)
			if name == "records" { // counted in the outbox, after a round of requests
				most *= 2
			}
			if more := end(t, c, outbox) - before - 1; more > most {
				t.Errorf("%d replays are in the outbox and not settled, more than %d", more, most)
			}
			close(fixed)
			hook.Wait(60*time.Second, func(r []webhooktest.Request) bool { return len(r) == posted+n+1 })
			place := slices.IndexFunc(hook.Requests()[posted:], func(r webhooktest.Request) bool { return r.Title() == fmt.Sprint(n) })
			if place > 256 {
				t.Errorf("the live alert came as number %d", place)
			}
			become(t, c, map[dlq.State]int{dlq.Resolved: n})
		})
	}
}

// behind returns how many records of a topic the group has not committed.
func behind(t testing.TB, c *testkafka.Cluster, topic string) (n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	lags, err := c.Admin.Lag(ctx, c.Group)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lags[c.Group].Lag[topic] {
		n += l.Lag
	}
	return n
}

// end returns how many records a topic of one partition has had.
func end(t testing.TB, c *testkafka.Cluster, topic string) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ends, err := c.Admin.ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	o, _ := ends.Lookup(topic, 0)
	return o.Offset
}

// find returns an entry, also a closed one.
func find(t testing.TB, c *testkafka.Cluster, id string) *dlq.Entry {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	e, err := replay.Find(ctx, dlq.NewReader(c.Client(), c.Group), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
