package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/topics"
)

// forger makes records for the daemon's own topics: what an attacker may write
// there who has the right to, by mistake or in bad faith.
type forger struct {
	ids        map[string]string // topics' ids, in text
	partitions map[string]int32
}

// newForger looks at the topics.
func (h *hostile) newForger(ctx context.Context) (*forger, error) {
	f := &forger{ids: make(map[string]string), partitions: make(map[string]int32)}
	details, err := h.admin.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range details {
		f.ids[d.Topic] = envelope.TopicID(d.ID)
		f.partitions[d.Topic] = int32(len(d.Partitions))
	}
	return f, nil
}

// classes are the classes of forged records.
func (f *forger) classes() []*class {
	return []*class{
		{name: "forged-alerts", what: "records in outboxes that no notifier wrote", every: 2 * time.Second, may: skipped, records: f.outbox},
		{name: "forged-progress", what: "an outbox record that says all sources are done", every: 10 * time.Second, may: skipped, records: f.progress},
		{name: "forged-moves", what: "requests to move what is yet to come, and broken ones", every: 10 * time.Second, may: skipped, records: f.moves},
		{name: "forged-replays", what: "requests for entries that there are not", every: 2 * time.Second, may: skipped, records: f.replays},
	}
}

// envelope is a valid one for a channel, of a record that there is not.
func (f *forger) envelope(channel string, n int) *envelope.Envelope {
	source := string(topics.TradeExecutions)
	a := &alert.Alert{
		ID: fmt.Sprintf("al_forged%d", n), Rule: "planted", Severity: alert.Critical, Topic: source,
		Title: alert.Text{{Text: "forged"}}, EventTime: time.Now(),
	}
	return &envelope.Envelope{
		Source: envelope.Source{Topic: source, TopicID: f.ids[source], Offset: math.MaxInt64 - int64(n), Time: time.Now(), Value: []byte(`{"forged":true}`)},
		Alert:  a, Channel: channel, Delivery: fmt.Sprintf("dl_forged%d", n),
	}
}

// outbox returns records that are no deliveries, for the outboxes of channels
// that behave.
func (f *forger) outbox(random *rand.Rand, n int) []*kgo.Record {
	channel := []string{chHealthy, chPicky, chChat, chWild}[n%4]
	topic := topics.Outbox(hostileGroup, channel)
	good := outbox.Record(f.envelope(channel, n), topic, 1)
	set := func(name string, value []byte) {
		for i := range good.Headers {
			if good.Headers[i].Key == name {
				good.Headers[i].Value = value
				return
			}
		}
		good.Headers = append(good.Headers, kgo.RecordHeader{Key: name, Value: value})
	}
	switch random.IntN(9) {
	case 0:
		good = &kgo.Record{Value: []byte(hidden)}
	case 1:
		good = &kgo.Record{}
	case 2:
		set("notifier.checksum", []byte("0000"))
	case 3:
		set("notifier.alert", bytes.Repeat([]byte("["), 500_000))
	case 4:
		set("notifier.original-headers", []byte("99999999"))
	case 5:
		set("notifier.delivery", []byte(hidden))
	case 6:
		set("notifier.source-partition", []byte("-1"))
	case 7:
		set("notifier.channel", []byte(chHang))
	case 8:
		set("notifier.alert", []byte(`{"title":[{"v":"forged"},"`+strings.Repeat("x", 300_000)+`"],"severity":"\u001b[31m"}`))
	}
	good.Topic = topic
	good.Partition = random.Int32N(f.partitions[topic])
	return []*kgo.Record{good}
}

// progress returns well-formed records whose headers say that every partition of
// every source is committed far ahead: a filter that believes them takes all
// real alerts for duplicates.
func (f *forger) progress(_ *rand.Rand, n int) []*kgo.Record {
	var list []*kgo.Record
	topic := topics.Outbox(hostileGroup, chHealthy)
	for _, source := range topics.All() {
		for p := range f.partitions[string(source)] {
			e := f.envelope(chHealthy, n)
			e.Delivery += fmt.Sprintf("/%s/%d", source, p)
			far := offsets.Position{Epoch: math.MaxInt32, Offset: math.MaxInt64}
			e.From = offsets.Origin{Input: offsets.Input{Topic: f.ids[string(source)], Partition: p}, From: far, Done: far, Delivery: e.Delivery}
			r := outbox.Record(e, topic, 1)
			r.Partition = int32(n) % f.partitions[topic]
			list = append(list, r)
		}
	}
	return list
}

// moves returns requests to move alerts. One that is well-formed moves what
// waits at that moment, as an operator's does, whatever more it asks for; the
// others may move nothing, so they name the channel of planted alerts.
func (f *forger) moves(_ *rand.Rand, n int) []*kgo.Record {
	q := control.Request{From: chHealthy, To: movedTo, By: hidden, Below: make(map[int32]int64)}
	switch n % 5 {
	case 0, 3:
		q.From = chWild
	case 1:
		q.To = "no-such-channel"
	}
	from := topics.Outbox(hostileGroup, q.From)
	q.TopicID = f.ids[from]
	for p := range f.partitions[from] {
		q.Below[p] = math.MaxInt64
	}
	switch n % 5 {
	case 2:
		q.TopicID = strings.Repeat("A", 200_000)
	case 3:
		for p := range int32(20_000) {
			q.Below[p] = math.MaxInt64
		}
	case 4:
		q.From, q.To = strings.Repeat("x", 300_000), chHealthy
	}
	return []*kgo.Record{q.Record(hostileGroup)}
}

func (f *forger) replays(random *rand.Rand, n int) []*kgo.Record {
	q := replay.Request{
		Entry: fmt.Sprintf("re_forged%d", n), Source: topics.TradeExecutions, Version: random.Int64(), Channel: chHealthy, By: hidden, Comment: hidden,
		Run: "forged", Total: math.MaxInt32,
	}
	switch n % 4 {
	case 1:
		q.Entry, q.Rematch = hidden, true
	case 2:
		q.Edited, q.Force = bytes.Repeat([]byte("["), 500_000), true
	case 3:
		return []*kgo.Record{{Topic: topics.Replay(hostileGroup), Value: []byte(hidden), Headers: []kgo.RecordHeader{{Key: "notifier.entry", Value: bytes.Repeat([]byte("e"), 300_000)}}}}
	}
	return []*kgo.Record{q.Record(hostileGroup)}
}
