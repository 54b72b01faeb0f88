package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// odd draws records of every kind of key, value and headers. Those with an even
// number raise an alert that refuses refuses, the others are no events.
func odd(seed uint64, n int) []*kgo.Record {
	r := rand.New(rand.NewPCG(seed, 0))
	some := func(most int) []byte {
		b := make([]byte, r.IntN(most+1))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	pick := func(options ...[]byte) []byte { return options[r.IntN(len(options))] }
	records := make([]*kgo.Record, n)
	for i := range records {
		rec := &kgo.Record{Topic: string(topics.TradeExecutions), Key: pick(nil, []byte{}, []byte{0xff, 0}, some(40), []byte("k"))}
		if i%2 == 0 {
			rec.Value = fmt.Appendf(nil, `{"alert":true,"symbol":"BAD","n":%d,"k":"%x"}`, i, some(20))
		} else {
			rec.Value = append([]byte{'x'}, some(60)...)
		}
		for range []int{0, 1, 3, 7}[r.IntN(4)] {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: string(pick([]byte("h"), nil, []byte("notifier.original-headers"), []byte("notifier.entry"))), Value: pick(nil, []byte{}, []byte("2"), some(30))})
		}
		records[i] = rec
	}
	for range 1000 {
		records[0].Headers = append(records[0].Headers, kgo.RecordHeader{Key: "many", Value: some(10)})
	}
	return records
}

// TestReplaysKeepRecordBytes has records go through outbox,
// dead letter and two replays that fail: the last version is the source's.
func TestReplaysKeepRecordBytes(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", refuses)
	start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	const n = 36 // half of them go to the hook, which may refuse 20 in a row before it is suspended
	records := odd(1, n)
	at := func(partition int32, offset int64) string { return fmt.Sprint(partition, "@", offset) }
	came := make(map[string]*kgo.Record)
	for i, r := range records {
		c.Produce(r)
		came[at(r.Partition, r.Offset)] = r
		if i%2 == 0 {
			c.Produce(alerting(topics.TradeExecutions, "", fine+i, 1)...)
		}
	}
	become(t, c, map[dlq.State]int{dlq.Open: n})
	for replay := range 3 {
		testkafka.Eventually(t, 30*time.Second, "all have failed again", func() bool {
			for _, e := range clitest.DeadLetters(t, c) {
				if e.Replays != replay || e.State == dlq.Waiting {
					return false
				}
			}
			return true
		})
		for _, e := range clitest.DeadLetters(t, c) {
			s := e.Envelope.Source
			r := came[at(s.Partition, s.Offset)]
			if r == nil || !same(s.Key, r.Key) || !same(s.Value, r.Value) || len(s.Headers) != len(r.Headers) {
				t.Fatalf("after %d replays %s holds %q: %q with %d headers, want %+v", replay, e.ID, s.Key, s.Value, len(s.Headers), r)
			}
			for i, h := range r.Headers {
				if s.Headers[i].Key != h.Key || !same(s.Headers[i].Value, h.Value) {
					t.Errorf("after %d replays header %d of %s is %q: %q, want %q: %q", replay, i, e.ID, s.Headers[i].Key, s.Headers[i].Value, h.Key, h.Value)
				}
			}
		}
		if replay < 2 {
			taken := len(hook.Requests())
			c.Produce(alerting(topics.TradeExecutions, "", 2*fine+replay, 1)...)
			hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) > taken })
			ask(t, c, requests(clitest.DeadLetters(t, c), nil)...)
		}
	}
}

// TestLargeCompressedEventIsReplayedUnchanged: its batch fits into the source topic
// only because it is compressed; outbox, dead letter and replay take it whole.
func TestLargeCompressedEventIsReplayedUnchanged(t *testing.T) {
	c := testkafka.Bare(t)
	c.Make(kafka.Layout{Group: c.Group, Channels: one("hook", 2), Event: 4 << 20}.Shapes(1, nil)...)
	hook := webhooktest.Start(t, "", refuses)
	dir := files(t, c, hookChannel("hook", hook.URL)+"events: {max_unpacked: 4MiB}", fmt.Sprintf(every, "hook"))
	start(t, dir)
	value := fmt.Appendf(nil, `{"alert":true,"symbol":"BAD","n":1,"k":"k","note":%q}`, bytes.Repeat([]byte("fill "), 3<<20/5))
	cl := c.Client(kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: string(topics.TradeExecutions), Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	become(t, c, map[dlq.State]int{dlq.Open: 1})
	e := clitest.DeadLetters(t, c)[0]
	if e.Pointer || e.Cause != outcome.PayloadRefused || !bytes.Equal(e.Envelope.Source.Value, value) {
		t.Fatalf("%s with %d bytes of %d, %s", e.Cause, len(e.Envelope.Source.Value), len(value), e.Detail)
	}
	hook.SetAnswer(nil)
	ask(t, c, requests([]*dlq.Entry{e}, nil)...)
	become(t, c, map[dlq.State]int{dlq.Resolved: 1})
}

// TestLargeEventIsReplayedAfterLimitsAreRaised: 1 MB of a compressed batch holds
// more than an event may have; its dead letter keeps it nevertheless.
func TestLargeEventIsReplayedAfterLimitsAreRaised(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	d := start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")))
	value := fmt.Appendf(nil, `{"alert":true,"symbol":"X","n":1,"k":"k","note":%q}`, bytes.Repeat([]byte("fill "), 3<<20/5))
	cl := c.Client(kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: string(topics.TradeExecutions), Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	become(t, c, map[dlq.State]int{dlq.Open: 1})
	e := clitest.DeadLetters(t, c)[0]
	if e.Pointer || e.Cause != outcome.EventTooLarge || !bytes.Equal(e.Envelope.Source.Value, value) {
		t.Fatalf("%s with %d bytes of %d, %s", e.Cause, len(e.Envelope.Source.Value), len(value), e.Detail)
	}
	d.stop()
	size := fmt.Sprint(4<<20 + 64<<10)
	for _, topic := range []string{topics.DeadLetter(c.Group, topics.TradeExecutions), topics.DeadLetter(c.Group, topics.PortfolioUpdates), topics.DeadLetter(c.Group, topics.ForwardTestEvents), topics.Outbox(c.Group, "hook")} {
		if _, err := c.Admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &size}}, topic); err != nil {
			t.Fatal(err)
		}
	}
	start(t, files(t, c, hookChannel("hook", hook.URL)+"events: {max_unpacked: 4MiB}", fmt.Sprintf(every, "hook")))
	ask(t, c, requests([]*dlq.Entry{e}, nil)...)
	become(t, c, map[dlq.State]int{dlq.Resolved: 1})
	if r := hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) > 0 }); len(r) != 1 || !bytes.Contains(r[0].Body, []byte("fill fill")) {
		t.Errorf("%d posts", len(r))
	}
}

// TestReplayReadsLostValueAtItsSource: a value that fits nowhere stays in its topic.
// Entries whose records are gone fail again, and say so.
func TestReplayReadsLostValueAtItsSource(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	r := alerting(topics.TradeExecutions, "a", 7, 1)[0]
	r.Headers = []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}
	c.Produce(r)
	found, err := c.Admin.ListTopics(t.Context(), r.Topic)
	if err != nil {
		t.Fatal(err)
	}
	pointer := func(n int, offset int64) *dlq.Entry {
		e := clitest.Undecodable(n, topics.TradeExecutions)
		e.Envelope.Source = envelope.Source{
			Topic: r.Topic, TopicID: envelope.TopicID(found[r.Topic].ID), Partition: r.Partition, Offset: offset, Time: r.Timestamp, Value: []byte{},
		}
		e.Pointer, e.Cause = true, outcome.EventTooLarge
		return e
	}
	former := pointer(3, r.Offset)
	former.Envelope.Source.TopicID = "AAAAAAAAAAAAAAAAAAAAAA"
	clitest.WriteEntries(t, c, pointer(1, r.Offset), pointer(2, r.Offset+1), former)
	start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")), "--start", "latest")
	ask(t, c, requests(clitest.DeadLetters(t, c), nil)...)
	become(t, c, map[dlq.State]int{dlq.Resolved: 1, dlq.Open: 2})
	if list := numbers(t, hook.Wait(20*time.Second, func(r []webhooktest.Request) bool { return len(r) > 0 })); len(list) != 1 || list[0] != 7 {
		t.Errorf("%v was sent", list)
	}
	for _, e := range clitest.DeadLetters(t, c) {
		if e.Replays != 1 || !strings.Contains(e.Detail, "trade-executions no longer has it") || !e.Pointer || e.Cause != outcome.EventTooLarge {
			t.Errorf("%s after %d replays: %s", e.Cause, e.Replays, e.Detail)
		}
	}
}

// same keeps null and empty apart.
func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// TestNullValueSurvivesCompactionAndReplay: it would else be a
// tombstone of its own entry.
func TestNullValueSurvivesCompactionAndReplay(t *testing.T) {
	c := testkafka.Start(t, one("hook", 2))
	hook := webhooktest.Start(t, "", nil)
	raised := clitest.Refused(1, "every", "hook")
	raised.Envelope.Source.Value = nil
	unread := clitest.Undecodable(2, topics.TradeExecutions)
	unread.Envelope.Source.Value, unread.Cause = nil, outcome.NotJSON
	clitest.WriteEntries(t, c, raised, unread)
	if !c.Real() {
		c.Fake().Compact()
	}
	list := clitest.DeadLetters(t, c)
	if len(list) != 2 || list[0].Envelope.Source.Value != nil || list[1].Envelope.Source.Value != nil {
		t.Fatalf("%+v", list)
	}
	start(t, files(t, c, hookChannel("hook", hook.URL), fmt.Sprintf(every, "hook")), "--start", "earliest")
	ask(t, c, requests(list, nil)...)
	become(t, c, map[dlq.State]int{dlq.Resolved: 2})
	if r := hook.Requests(); len(r) != 1 || !bytes.Contains(r[0].Body, []byte(`"event":null`)) {
		t.Errorf("%d posts, %s", len(r), r)
	}
	if e := find(t, c, unread.ID); e.Closed.Comment != "venue is back (its value is null: a tombstone is no event)" {
		t.Errorf("the other was closed so: %+v", e.Closed)
	}
}
