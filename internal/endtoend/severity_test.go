//go:build synctests

package endtoend

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outbox"
	"github.com/algotrade/notifier/internal/topics"
)

// desk is a provider that has each alert at once and takes a while to say so.
type desk struct {
	mu    sync.Mutex
	takes []message
}

type message struct {
	rule, key string
	n         int
	marked    bool
}

// Send implements channel.Channel.
func (d *desk) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	t := message{rule: m.Alert.Rule, key: m.Alert.KeyText(), marked: m.MayBeDuplicate}
	if _, err := fmt.Sscan(m.Alert.Title.String(), &t.n); err != nil {
		return channel.Receipt{}, err
	}
	d.mu.Lock()
	d.takes = append(d.takes, t)
	d.mu.Unlock()
	select {
	case <-time.After(200 * time.Millisecond):
		return channel.Receipt{}, nil
	case <-ctx.Done():
		return channel.Receipt{}, ctx.Err()
	}
}

func (d *desk) all() []message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.takes)
}

// severities is a channel with a rate limit, its outbox, and who writes and reads it.
type severities struct {
	*world
	desk   *desk
	pace   dispatch.Pace
	raised int
	admin  *kadm.Client
}

const severityWindow = 1024

func newSeverities(t *testing.T, partitions int, pace dispatch.Pace) *severities {
	s := &severities{world: newWorld(t), desk: &desk{}, pace: pace}
	s.admin = kadm.NewClient(s.client())
	for _, shape := range (kafka.Layout{Group: group, Channels: []kafka.Channel{{Name: "desk", Partitions: partitions}}}).Shapes(1, nil) {
		if shape.Role == kafka.RoleOutbox {
			if err := kafka.Create(s.ctx, s.admin, []kafka.Shape{shape}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

func (s *severities) close() {
	s.admin.Close()
	time.Sleep(time.Second) // requests that were given up end
	s.fake.Close()
}

// writer returns a function that writes alerts as a process does that starts now.
func (s *severities) writer() (raise func(n int, rule string, worst alert.Severity, age time.Duration), stop func()) {
	cl := s.client(kafka.OutboxOptions(func(string) int32 { return kafka.DefaultMaxMessage })...)
	p := outbox.New(outbox.Params{
		Broker: outbox.Kafka(cl), Group: group, Channels: []string{"desk"}, Logger: slog.New(slog.DiscardHandler), SingleOwner: func(string) bool { return true },
	})
	if err := p.Load(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	return func(n int, rule string, worst alert.Severity, age time.Duration) {
		s.t.Helper()
		var list []*envelope.Envelope
		for range n {
			s.raised++
			key := fmt.Sprint(rule, s.raised%7)
			a := &alert.Alert{
				ID: fmt.Sprint("al_", s.raised), Rule: rule, Severity: worst, WorstSeverity: worst, Key: []string{key}, Topic: string(topics.TradeExecutions),
				EventTime: time.Now().Add(-age + time.Duration(s.raised)*time.Millisecond), Title: alert.Text{{Text: fmt.Sprint(s.raised)}},
			}
			list = append(list, &envelope.Envelope{
				Source: envelope.Source{Topic: string(topics.TradeExecutions), Offset: int64(s.raised), Time: time.Now(), Key: []byte(key), Value: []byte(`{}`)},
				Alert:  a, Channel: "desk", Delivery: alert.NewDelivery(a.ID, "desk"),
			})
		}
		for _, err := range p.Put(s.ctx, list, func(string) {}) {
			if err != nil {
				s.t.Fatal(err)
			}
		}
	}, cl.Close
}

// owner is one process that sends the channel's alerts.
type owner struct {
	*dispatch.Dispatcher
	stop, kill func()
}

func (s *severities) owner() *owner {
	wire := newWire(s.net.DialContext, func(int, []byte) {})
	opts := append(slices.Clone(s.opts), wire.dialer("dispatch", 0))
	dead, err := kgo.NewClient(append(slices.Clone(opts), kafka.DeadLetterOptions(func(string) int32 { return kafka.DefaultMaxMessage })...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	log, topic := slog.New(slog.DiscardHandler), topics.Outbox(group, "desk")
	o := &owner{Dispatcher: dispatch.New(dispatch.Params{
		Name: "desk", Channel: s.desk, Uncommitted: 64, Group: group, Dead: dlq.NewWriter(dlq.WriterParams{Client: dead, Group: group, Logger: log}), Logger: log,
		Config: dispatch.Config{Concurrency: 1, Pace: s.pace, Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Timeout: 10 * time.Second, Ambiguous: dispatch.Resend},
	})}
	member := consume.New(consume.Params{
		Name: "dispatch", Group: topics.OutboxGroup(group), Topics: []string{topic}, OwnTopics: true, Bundled: func(string) bool { return true },
		Cluster: s.cluster, Options: opts, SessionTimeout: 15 * time.Second, Window: consume.Window{Records: severityWindow, Bytes: 64 << 20},
		Drain: 5 * time.Second, Logger: log,
		Handler: dispatch.NewHandler(dispatch.HandlerParams{Outboxes: map[string]*dispatch.Dispatcher{topic: o.Dispatcher}, Dead: dlq.NewLog(dead), Logger: log}),
	})
	ctx, cancel := context.WithCancel(s.ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = member.Run(ctx)
	}()
	o.stop = sync.OnceFunc(func() {
		cancel()
		<-stopped
		_ = o.Close()
		dead.Close()
	})
	o.kill = func() {
		wire.cut()
		_ = o.Close() // a process that died sends nothing
	}
	return o
}

// check compares what was taken with what was raised: everything once, those in doubt
// twice, and each key in order.
func (s *severities) check(doubted []int) {
	s.t.Helper()
	times, last := make(map[int]int), make(map[string]int)
	for _, t := range s.desk.all() {
		if times[t.n]++; times[t.n] == 1 && t.n < last[t.key] {
			s.t.Fatalf("%s: %d came after %d", t.key, t.n, last[t.key])
		}
		last[t.key] = max(last[t.key], t.n)
	}
	for n := 1; n <= s.raised; n++ {
		if times[n] != 1 && !(times[n] == 2 && slices.Contains(doubted, n)) {
			s.t.Fatalf("%d was sent %d times", n, times[n])
		}
	}
}

func TestCriticalIsNextBehindTwentyThousandWarnings(t *testing.T) { synctest.Test(t, criticalIsNext) }

func criticalIsNext(t *testing.T) {
	s := newSeverities(t, 3, dispatch.Pace{Rate: 1, Burst: 3})
	defer s.close()
	raise, stopWriter := s.writer()
	defer stopWriter()
	for range 20 {
		raise(1000, "stale", alert.Warning, 10*time.Hour)
	}
	first := s.owner()
	defer first.stop()
	time.Sleep(time.Minute)
	next := func(o *owner) {
		t.Helper()
		before := len(s.desk.all())
		raise(1, "halted", alert.Critical, 0)
		time.Sleep(3 * time.Second)
		after := s.desk.all()[before:]
		if i := slices.IndexFunc(after, func(t message) bool { return t.n == s.raised }); i < 0 || i > 1 {
			t.Fatalf("of %d messages, the critical alert is in place %d", len(after), i)
		}
		if n := o.Status().Pending; n > 2*severityWindow {
			t.Errorf("%d are in memory, the window is %d", n, severityWindow)
		}
		time.Sleep(time.Minute)
	}
	for range 10 {
		next(first)
	}
	before := len(s.desk.all())
	raise(10, "halted", alert.Critical, 0)
	time.Sleep(11 * time.Second)
	for _, took := range s.desk.all()[before:][1:10] {
		if took.rule != "halted" {
			t.Errorf("%s was sent before the last of ten critical alerts", took.rule)
		}
	}
	for n := len(s.desk.all()); n == len(s.desk.all()); {
		time.Sleep(10 * time.Millisecond)
	}
	first.kill() // with one in flight
	all := s.desk.all()
	doubt := all[len(all)-1].n
	second := s.owner()
	defer second.stop()
	time.Sleep(2 * time.Minute)
	next(second)
	time.Sleep(21_000 * time.Second)
	s.check([]int{doubt})
	var marked []int
	for _, took := range s.desk.all() {
		if took.marked {
			marked = append(marked, took.n)
		}
	}
	if len(marked) > 2 || !slices.Contains(marked, doubt) {
		t.Errorf("%v are marked, %d was in flight, and one was next", marked, doubt)
	}
}

// A rate limit holds for all members together, since one of them owns all partitions.
func TestRateLimitHoldsForTwoMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const seconds, burst = 120, 3
		s := newSeverities(t, 3, dispatch.Pace{Rate: 2, Burst: burst})
		defer s.close()
		for range 2 {
			defer s.owner().stop()
		}
		time.Sleep(time.Minute) // the partitions are shared by now
		raise, stopWriter := s.writer()
		defer stopWriter()
		for rule, worst := range map[string]alert.Severity{"halted": alert.Critical, "stale": alert.Warning, "noted": alert.Info} {
			raise(300, rule, worst, time.Hour)
		}
		time.Sleep(seconds * time.Second)
		if n := len(s.desk.all()); n < 2*seconds-burst || n > 2*seconds+burst {
			t.Errorf("%d were sent in %d s at 2/s and a burst of %d", n, seconds, burst)
		}
		time.Sleep(time.Hour)
		s.check(nil)
	})
}
