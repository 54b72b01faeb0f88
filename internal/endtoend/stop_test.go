//go:build synctests

package endtoend

import (
	"context"
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

// one produces one alert.
func (w *world) one() {
	cl := w.client(kgo.ProducerLinger(0))
	defer cl.Close()
	r := &kgo.Record{Topic: string(topics.TradeExecutions), Key: []byte("k0"), Value: []byte(`{"alert":true,"k":"k0","n":0}`)}
	if err := cl.ProduceSync(w.ctx, r).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// answering is a provider that answers each attempt alike.
type answering func() error

// Send implements channel.Channel.
func (a answering) Send(context.Context, channel.Message) (channel.Receipt, error) {
	return channel.Receipt{}, a()
}

// count returns how often the brokers are asked for something.
func (w *world) count(key kmsg.Key) *atomic.Int64 {
	n := new(atomic.Int64)
	w.fake.ControlKey(key.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		w.fake.KeepControl()
		n.Add(1)
		return nil, nil, false
	})
	return n
}

func TestStopInterruptsLongBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		attempted := make(chan struct{}, 100)
		w.channel = answering(func() error {
			attempted <- struct{}{}
			return &outcome.Error{Cause: outcome.Greylisted, Detail: "450", RetryAfter: 30 * time.Second}
		})
		n := w.node()
		w.one()
		<-attempted
		time.Sleep(time.Second)
		began := time.Now()
		n.stop()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a stop took %s while a delivery waits for 30 s", took)
		}
		w.channel = nil
		next := w.node()
		time.Sleep(10 * time.Second)
		next.stop()
		if w.sink.delivered["k0/0"] != 1 {
			t.Error("the next owner has not delivered it")
		}
	})
}

// TestDrainingMemberKeepsItsPartitions: no other member gets its partitions while
// it waits for deliveries in flight.
func TestDrainingMemberKeepsItsPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		w.sink.takes = 4500 * time.Millisecond
		n := w.node()
		heartbeats, leaves := w.count(kmsg.Heartbeat), w.count(kmsg.LeaveGroup)
		time.Sleep(5 * time.Second)
		w.one()
		attempts := func() int {
			w.sink.mu.Lock()
			defer w.sink.mu.Unlock()
			return w.sink.attempts
		}
		for attempts() == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			n.stop()
		}()
		time.Sleep(500 * time.Millisecond)
		before := heartbeats.Load()
		if leaves.Load() != 1 { // matching has left: it had nothing in flight
			t.Errorf("%d members have left while one has a send in flight", leaves.Load())
		}
		<-stopped
		if heartbeats.Load() == before {
			t.Error("no heartbeat while it drained")
		}
		if leaves.Load() != 2 {
			t.Errorf("%d members have left after the stop", leaves.Load())
		}
		next := w.node()
		time.Sleep(10 * time.Second)
		next.stop()
		if got := w.sink.delivered["k0/0"]; got != 1 || attempts() != 1 {
			t.Errorf("delivered %d times by %d attempts", got, attempts())
		}
	})
}
