package outbox

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/envelope"
)

// fake is a Broker that answers at once.
type fake struct {
	lookUps   []error // answers to the next ones; then nil
	id        string
	written   string // the id of the topic that the client writes to
	count     int32  // of partitions; 0: 1
	forgotten int
}

// Produce implements Broker.
func (f *fake) Produce(r *kgo.Record, promise func(*kgo.Record, error)) {
	var err error
	if f.written != f.id {
		err = kerr.UnknownTopicID
	}
	promise(r, err)
}

// LookUp implements Broker.
func (f *fake) LookUp(context.Context, string) (string, int32, error) {
	if len(f.lookUps) == 0 {
		return f.id, max(1, f.count), nil
	}
	err := f.lookUps[0]
	f.lookUps = f.lookUps[1:]
	return "", 0, err
}

// Forget implements Broker.
func (f *fake) Forget(string) { f.written = f.id; f.forgotten++ }

func newProducer(f *fake) *Producer {
	return New(Params{Broker: f, Group: "g", Channels: []string{"hook"}, Logger: slog.New(slog.DiscardHandler)})
}

func TestLoadRetriesUntilBrokersAnswer(t *testing.T) { synctest.Test(t, loadRetries) }

func loadRetries(t *testing.T) {
	gone := errors.New("connection refused")
	p := newProducer(&fake{lookUps: []error{gone, gone}})
	if err := p.Load(t.Context()); err != nil || !p.Has("hook") || p.Has("desk") {
		t.Fatalf("%v, hook: %v, desk: %v", err, p.Has("hook"), p.Has("desk"))
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := newProducer(&fake{lookUps: []error{errors.New("connection refused")}}).Load(ctx)
	if err == nil || !strings.Contains(err.Error(), "g.outbox.hook") {
		t.Errorf("Load returned %v", err)
	}
}

// A client writes to the topic that it knows until it is told to forget it.
func TestPutFollowsARecreatedTopic(t *testing.T) {
	f := &fake{id: "old", written: "old"}
	p := newProducer(f)
	if err := p.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	put := func() []error {
		e := func() *envelope.Envelope {
			return &envelope.Envelope{Alert: &alert.Alert{Rule: "r"}, Channel: "hook", Source: envelope.Source{Topic: "t", Time: time.Unix(1, 0)}}
		}
		return p.Put(t.Context(), []*envelope.Envelope{e(), e()}, func(string) {})
	}
	if err := errors.Join(put()...); err != nil {
		t.Fatal(err)
	}
	f.id = "new"
	if errs := put(); !errors.Is(errs[0], kerr.UnknownTopicID) || !errors.Is(errs[1], ErrBehind) {
		t.Errorf("%v", errs)
	}
	if err := errors.Join(put()...); err != nil || f.forgotten != 1 {
		t.Errorf("%v, the topic was forgotten %d times", err, f.forgotten)
	}
}
