package state_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// process is a store that runs, and what it has passed on of the channel desk.
type process struct {
	*state.Store
	mu     sync.Mutex
	values map[string]string
}

func start(t *testing.T, c *testkafka.Cluster) *process {
	t.Helper()
	cl := c.Client(kafka.DeadLetterOptions(kafka.MaxMessageBytes(c.Shapes(nil)))...)
	p := &process{values: make(map[string]string)}
	p.Store = state.New(state.Params{Client: cl, Log: dlq.NewLog(cl), Group: c.Group, Logger: slog.New(slog.DiscardHandler)})
	p.Follow("desk", func(r state.Record) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.values[string(r.Kind)+" "+r.Key] = string(r.Value)
		if r.Value == nil {
			delete(p.values, string(r.Kind)+" "+r.Key)
		}
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return p
}

// known waits until the store knows all that was written by now.
func (p *process) known(t *testing.T) {
	t.Helper()
	known := make(chan struct{})
	p.Known(func() { close(known) })
	select {
	case <-known:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not know what is in the topic")
	}
}

func (p *process) want(t *testing.T, want map[string]string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !maps.Equal(p.values, want) {
		t.Errorf("%v, want %v", p.values, want)
	}
}

func record(key, value string) state.Record {
	r := state.Record{Kind: state.Throttle, Channel: "desk", Key: key}
	if value != "" {
		r.Value = []byte(value)
	}
	return r
}

func TestStorePassesOnLastValues(t *testing.T) {
	c := testkafka.Start(t, nil)
	a := start(t, c)
	other, all := record("x", "of another channel"), record("s", "of all channels")
	other.Channel, all.Channel = "hook", state.AllChannels
	for i := range 3 {
		if err := a.Write(t.Context(), record("x/y", fmt.Sprint(i)), record("z", fmt.Sprint(i)), other, all); err != nil {
			t.Fatal(err)
		}
	}
	b := start(t, c)
	b.known(t)
	b.want(t, map[string]string{"throttle x/y": "2", "throttle z": "2", "throttle s": "of all channels"})
	if err := b.Write(t.Context(), record("z", "")); err != nil {
		t.Fatal(err)
	}
	a.known(t)
	a.want(t, map[string]string{"throttle x/y": "2", "throttle s": "of all channels"})
}

func TestRecordsOfOtherVersionsAreNotRead(t *testing.T) {
	c := testkafka.Start(t, nil)
	topic := topics.State(c.Group)
	newer := []kgo.RecordHeader{{Key: "notifier.version", Value: []byte("2")}}
	c.Produce(
		&kgo.Record{Topic: topic, Key: []byte("throttle/desk/a"), Value: []byte("1"), Headers: newer}, &kgo.Record{Topic: topic, Key: []byte("throttle/desk/b"), Value: []byte("1")},
		&kgo.Record{Topic: topic, Key: []byte("throttle"), Headers: newer}, &kgo.Record{Topic: topic},
	)
	p := start(t, c)
	if err := p.Write(t.Context(), record("c", "1")); err != nil {
		t.Fatal(err)
	}
	p.known(t)
	p.want(t, map[string]string{"throttle c": "1"})
}

func TestStoreFollowsRecreatedTopic(t *testing.T) {
	c := testkafka.Start(t, nil)
	p := start(t, c)
	for range 3 {
		if err := p.Write(t.Context(), record("before", "1")); err != nil {
			t.Fatal(err)
		}
	}
	p.known(t)
	c.Delete(topics.State(c.Group))
	p.known(t) // that there is nothing
	for _, shape := range c.Shapes(nil) {
		if shape.Role == kafka.RoleState {
			c.Make(shape)
		}
	}
	testkafka.Eventually(t, 20*time.Second, "it writes to the new topic", func() bool { return p.Write(t.Context(), record("after", "1")) == nil })
	p.known(t)
	p.want(t, map[string]string{"throttle before": "1", "throttle after": "1"})
}

func TestWriteIsAcknowledgedOrFails(t *testing.T) {
	c := testkafka.Start(t, nil)
	p := start(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Write(ctx, record("a", "1")); err == nil {
		t.Error("a write that was given up succeeds")
	}
	if err := p.Write(t.Context(), record("a", "2")); err != nil {
		t.Fatal(err)
	}
	p.known(t)
	p.want(t, map[string]string{"throttle a": "2"})
}
