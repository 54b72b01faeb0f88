package backtest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/notice"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/silence"
	"github.com/algotrade/notifier/internal/state"
)

// lived is a channel whose dispatcher runs as it does in the daemon: in goroutines, on the
// bubble's clock, with what the simulation has in place of brokers.
type lived struct {
	name       string
	channel    Channel
	dispatcher *dispatch.Dispatcher
	feeds      []*dispatch.Feed
	line       *line // makes messages of what was sent

	mu      sync.Mutex
	sent    []channel.Message
	records []*deliverylog.Record
	kept    []func(error)
}

func live(name string, c Channel, rules *rule.Set, silences []*silence.Silence, w *dispatch.Window) *lived {
	l := &lived{name: name, channel: c, line: &line{name: name, channel: c}}
	l.dispatcher = dispatch.New(dispatch.Params{
		Name: name, Channel: l, Config: c.Config, Uncommitted: 64, Outboxes: l, Deliveries: l, State: known{}, Notices: notice.New(l), Logger: slog.New(slog.DiscardHandler),
	})
	for partition := range c.Config.Partitions {
		l.feeds = append(l.feeds, l.dispatcher.Feed(int32(partition), w))
	}
	l.dispatcher.UseDigest(rules.Digest())
	l.dispatcher.UseZone(rules.Zone())
	l.dispatcher.UseRules(rules)
	for _, one := range silences {
		l.dispatcher.Learn(one.Record())
	}
	return l
}

func (l *lived) take(e *envelope.Envelope) {
	r := outbox.Record(e, "outbox", int32(len(l.feeds)))
	l.feeds[outbox.Partition(e, r.Key, int32(len(l.feeds)), l.channel.Config.SingleOwner())].Add(e, r.Key, consume.OutboxSize(r))
}

// Send implements channel.Channel.
func (l *lived) Send(_ context.Context, m channel.Message) (channel.Receipt, error) {
	time.Sleep(l.channel.Latency)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, m)
	return l.line.Send(context.Background(), m)
}

// Write implements dispatch.Deliveries.
func (l *lived) Write(r *deliverylog.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Ended = time.Now()
	l.records = append(l.records, r)
}

// Keep implements dispatch.Deliveries.
func (l *lived) Keep(r *deliverylog.Record, done func(error)) {
	l.Write(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept = append(l.kept, done); len(l.kept) == 1 {
		time.AfterFunc(deliverylog.Linger, func() {
			l.mu.Lock()
			kept := l.kept
			l.kept = nil
			l.mu.Unlock()
			for _, done := range kept {
				done(nil)
			}
		})
	}
}

// Has implements dispatch.Outboxes.
func (l *lived) Has(name string) bool { return name == l.name }

// Put implements dispatch.Outboxes.
func (l *lived) Put(_ context.Context, list []*envelope.Envelope, _ func(string)) []error {
	for _, e := range list {
		l.take(e)
	}
	return make([]error, len(list))
}

// known is a state topic that is empty, and acknowledges at once.
type known struct{}

func (known) Known(f func()) { go f() }

func (known) Write(context.Context, ...state.Record) error { return nil }

// told returns what was sent.
func (l *lived) told() (all []Message) {
	for i := range l.sent {
		m := &l.sent[i]
		var of []*deliverylog.Record
		for _, r := range l.records {
			if r.Delivery == m.Delivery || r.Digest == m.Delivery {
				of = append(of, r)
			}
		}
		all = append(all, l.line.message(m, of))
	}
	return all
}
