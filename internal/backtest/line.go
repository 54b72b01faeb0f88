package backtest

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/notice"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/topics"
)

// line is one channel: its dispatcher, and all that a dispatcher needs. It is the driver,
// the provider that takes every message, the delivery log that has every record at once,
// and the outbox.
type line struct {
	simulation *Simulation
	name       string
	channel    Channel
	dispatcher *dispatch.Dispatcher
	feeds      []*dispatch.Feed // by partition

	wakeAt time.Time // zero: it waits for nothing
	wake   func()

	receipts int
	sent     *channel.Message      // by the attempt that is under way
	settled  []*deliverylog.Record // of the deliveries that it told
	kept     []func(error)         // of the records on their way to the log
}

func newLine(s *Simulation, name string, c Channel) *line {
	l := &line{simulation: s, name: name, channel: c}
	l.dispatcher = dispatch.New(dispatch.Params{
		Name: name, Channel: l, Config: c.Config, Uncommitted: s.p.Window.Uncommitted, Group: s.p.Group, Outboxes: l, Deliveries: l, State: store{l}, Notices: notice.New(l),
		Logger: s.p.Logger, Driver: l,
	})
	for partition := range max(1, c.Config.Partitions) {
		l.feeds = append(l.feeds, l.dispatcher.Feed(int32(partition), s.window))
	}
	if r := s.p.Rules; r != nil {
		l.dispatcher.UseDigest(r.Digest())
		l.dispatcher.UseZone(r.Zone())
		l.dispatcher.UseRules(r)
	}
	for _, one := range s.p.Silences {
		l.dispatcher.Learn(one.Record())
	}
	return l
}

// take puts a delivery into the outbox, from which it arrives at once.
func (l *line) take(e *envelope.Envelope) {
	partitions := int32(len(l.feeds))
	r := outbox.Record(e, topics.Outbox(l.simulation.p.Group, l.name), partitions)
	e.Source.Value, e.Source.Headers = nil, nil
	partition := outbox.Partition(e, r.Key, partitions, l.channel.Config.SingleOwner())
	l.feeds[partition].Add(e, bytes.Clone(r.Key), consume.OutboxSize(r))
}

// look wakes the dispatcher.
func (l *line) look() {
	wake := l.wake
	l.wakeAt, l.wake = time.Time{}, nil
	wake()
}

// Now implements dispatch.Driver.
func (l *line) Now() time.Time { return l.simulation.now }

// Go implements dispatch.Driver.
func (l *line) Go(w dispatch.Work) {
	took := time.Duration(0)
	if w.Attempt {
		took = l.channel.Latency
	}
	l.simulation.after(took, func() {
		w.Do()
		l.tell()
	})
}

// WakeAt implements dispatch.Driver.
func (l *line) WakeAt(at time.Time, wake func()) { l.wakeAt, l.wake = at, wake }

// Draw implements dispatch.Driver. It is for backoffs, and nothing fails.
func (l *line) Draw(time.Duration) time.Duration { return 0 }

// Wait implements dispatch.Driver.
func (l *line) Wait() {}

// Send implements channel.Channel.
func (l *line) Send(_ context.Context, m channel.Message) (channel.Receipt, error) {
	l.sent = &m
	if !l.channel.Edits {
		return channel.Receipt{}, nil
	}
	if m.Digest != nil && m.Digest.Edit != "" {
		return channel.Receipt{ID: m.Digest.Edit}, nil
	}
	l.receipts++
	return channel.Receipt{ID: strconv.Itoa(l.receipts)}, nil
}

// Write implements dispatch.Deliveries.
func (l *line) Write(r *deliverylog.Record) { l.settled = append(l.settled, r) }

// Keep implements dispatch.Deliveries: the record is acknowledged after the linger of the
// log's producer, with those that came meanwhile.
func (l *line) Keep(r *deliverylog.Record, done func(error)) {
	l.simulation.soon(func() { l.decided(r) })
	if l.kept = append(l.kept, done); len(l.kept) == 1 {
		l.simulation.after(deliverylog.Linger, func() {
			kept := l.kept
			l.kept = nil
			for _, done := range kept {
				done(nil)
			}
		})
	}
}

// Has implements dispatch.Outboxes.
func (l *line) Has(name string) bool { return name == l.name }

// Put implements dispatch.Outboxes and notice.Outboxes: reminders, and what silences and
// quiet hours have suppressed.
func (l *line) Put(_ context.Context, list []*envelope.Envelope, _ func(topic string)) []error {
	for _, e := range list {
		l.simulation.soon(func() { l.take(e) })
	}
	return make([]error, len(list))
}

// store is the state topic: nobody has written to it before, and it acknowledges at once.
type store struct{ *line }

// Known implements dispatch.State.
func (s store) Known(f func()) { s.simulation.soon(f) }

// Write implements dispatch.State.
func (store) Write(context.Context, ...state.Record) error { return nil }

// decided tells that a delivery has ended.
func (l *line) decided(r *deliverylog.Record) {
	if f := l.simulation.p.OnDecision; f != nil {
		r.Ended = l.simulation.now
		f(r)
	}
}

// tell tells of the message that was sent last, and of its deliveries.
func (l *line) tell() {
	m, records := l.sent, l.settled
	l.sent, l.settled = nil, l.settled[:0]
	if f := l.simulation.p.OnMessage; f != nil && m != nil {
		f(l.message(m, records))
	}
	for i, r := range records {
		l.decided(r)
		records[i] = nil
	}
}

// message returns a message as it is told: of these deliveries.
func (l *line) message(m *channel.Message, of []*deliverylog.Record) Message {
	c := m.Content()
	told := Message{
		Channel: l.name, At: m.Now, EventTime: m.Alert.EventTime, Severity: m.Alert.Severity, AlertKey: m.Alert.KeyText(), Members: 1,
		Resolved: m.Resolved(), Reminder: m.Reminder, Title: c.Title.String(), Text: Text(&c),
	}
	if d := m.Digest; d != nil {
		told.AlertKey, told.Members, told.Edit = (&alert.Alert{Key: d.Group}).KeyText(), d.New, d.Edit != ""
	}
	told.Rules = rulesOf(of)
	for _, r := range of {
		if r.Event.Time.Before(told.EventTime) {
			told.EventTime = r.Event.Time
		}
	}
	return told
}
