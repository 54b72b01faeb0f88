//go:build synctests

package endtoend

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// TestDeletedTopicIsFetchedWithPauses: brokers answer at once that a topic does not
// exist, and the client fetches again at once. The member must pause, and continues
// once the topic is back.
func TestDeletedTopicIsFetchedWithPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		n := w.node()
		time.Sleep(5 * time.Second)
		outbox := topics.Outbox(group, "hook")
		if err := w.fake.DeleteTopic(outbox); err != nil {
			t.Fatal(err)
		}
		var fetches atomic.Int64
		w.fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.fake.KeepControl()
			if fetches.Add(1) > 10_000 {
				time.Sleep(100 * time.Millisecond) // so that the clock moves and the test ends
			}
			return nil, nil, false
		})
		const gone = 20 * time.Second
		time.Sleep(gone)
		if most := int64(100 * gone.Seconds()); fetches.Load() > most {
			t.Errorf("%d fetches in %s, more than %d", fetches.Load(), gone, most)
		}
		if err := w.fake.CreateTopic(outbox, 4, topicConfigs(outbox)); err != nil {
			t.Fatal(err)
		}
		cl := w.client(kgo.ProducerLinger(0))
		r := &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k0"), Value: []byte(`{"alert":true,"k":"k0","n":0}`)}
		if err := cl.ProduceSync(w.ctx, r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		cl.Close()
		time.Sleep(30 * time.Second)
		n.stop()
		if w.sink.attempts != 1 {
			t.Errorf("%d attempts for the alert that came once the topic was back", w.sink.attempts)
		}
	})
}

// TestTopicRecreatedDuringJoinIsFollowed: the client looked the topic up before it
// was deleted, the member once it was created again. Nothing
// differs then between the assignment and the brokers, and still the client
// asks for the old one.
func TestTopicRecreatedDuringJoinIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		first := w.node()
		time.Sleep(5 * time.Second)
		second := w.node()
		time.Sleep(100 * time.Millisecond)
		outbox := topics.Outbox(group, "hook")
		if err := w.fake.DeleteTopic(outbox); err != nil {
			t.Fatal(err)
		}
		if err := w.fake.CreateTopic(outbox, 4, topicConfigs(outbox)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		const alerts = 40
		cl := w.client(kgo.ProducerLinger(0))
		for i := range alerts {
			r := &kgo.Record{Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, "k", i), Value: fmt.Appendf(nil, `{"alert":true,"k":"k%d","n":0}`, i)}
			if err := cl.ProduceSync(w.ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		cl.Close()
		time.Sleep(time.Minute)
		first.stop()
		second.stop()
		if n := len(w.sink.delivered); n != alerts {
			t.Errorf("%d of %d alerts are delivered", n, alerts)
		}
	})
}

// refusing refuses every message.
type refusing struct{}

// Send implements channel.Channel.
func (refusing) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{}, outcome.Errorf(outcome.PayloadRefused, "400")
}

// TestDispatchDeadLettersFollowRecreatedTopic: the producer does not follow by
// itself, and ingest, which could make it, writes none.
func TestDispatchDeadLettersFollowRecreatedTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.channel = refusing{}
		n := w.node()
		cl := w.client(kgo.ProducerLinger(0))
		defer cl.Close()
		alert := func(i int) {
			r := &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k"), Value: fmt.Appendf(nil, `{"alert":true,"k":"k0","n":%d}`, i)}
			if err := cl.ProduceSync(w.ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		topic := topics.DeadLetter(group, topics.TradeExecutions)
		alert(0)
		time.Sleep(5 * time.Second)
		if at := w.fake.PartitionInfo(topic, 0).HighWatermark; at != 1 {
			t.Fatalf("%d dead letters", at)
		}
		if err := w.fake.DeleteTopic(topic); err != nil {
			t.Fatal(err)
		}
		alert(1)
		time.Sleep(5 * time.Second)
		if err := w.fake.CreateTopic(topic, 1, topicConfigs(topic)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		n.stop()
		if at := w.fake.PartitionInfo(topic, 0).HighWatermark; at != 1 {
			t.Errorf("%d dead letters in the recreated topic, want one", at)
		}
	})
}
