//go:build synctests

package endtoend

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// takings is a provider that records what it takes and when; suspended, it takes
// nothing.
type takings struct {
	mu        sync.Mutex
	suspended bool
	tries     int
	titles    []string
	at        []time.Time
	late      time.Duration // the longest from an alert's event to its taking
}

// Send implements channel.Channel.
func (s *takings) Send(_ context.Context, m channel.Message) (channel.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.suspended {
		return channel.Receipt{}, outcome.Errorf(outcome.Credentials, "invalid_auth")
	}
	s.titles = append(s.titles, m.Alert.Title.String())
	s.at = append(s.at, m.Now)
	s.late = max(s.late, m.Now.Sub(m.Alert.EventTime))
	return channel.Receipt{}, nil
}

func (s *takings) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.titles)
}

const backlogWindow = 1024

// waitingRecords are alerts in an outbox, each tenth of which does not expire.
func waitingRecords(channel string, first, n int, expire time.Duration) []*kgo.Record {
	var records []*kgo.Record
	for i := first; i < first+n; i++ {
		a := &alert.Alert{
			ID: fmt.Sprintf("al_%s_%d", channel, i), Rule: "every", Severity: alert.Warning, EventTime: time.Now(),
			Title: alert.Text{{Text: fmt.Sprintf("k%d/%d", i%7, i)}}, Topic: string(topics.TradeExecutions),
		}
		if i%10 != 0 {
			a.Expire = expire
		}
		e := &envelope.Envelope{
			Source: envelope.Source{Topic: string(topics.TradeExecutions), Offset: int64(i), Time: time.Now(), Key: fmt.Appendf(nil, "k%d", i%7), Value: []byte(`{}`)},
			Alert:  a, Channel: channel, Delivery: alert.NewDelivery(a.ID, channel),
		}
		records = append(records, outbox.Record(e, topics.Outbox(group, channel), 1))
	}
	return records
}

var weekend = flag.Int("weekend", 8, "for how many hours a channel is suspended")

// TestBacklogInMemoryIsBounded suspends a channel over a weekend: its backlog stays
// in the brokers, another channel is not delayed, and when it recovers everything
// that has not expired is sent, in order, within the rate limit.
func TestBacklogInMemoryIsBounded(t *testing.T) {
	pending := make(map[int]int)
	for n, hours := range map[int]int{5_000: 2, 20_000: *weekend} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { pending[n] = backlogOf(t, n, hours) })
		})
	}
	if pending[20_000] > pending[5_000]+pending[5_000]/10 {
		t.Errorf("of a backlog of 5,000 %d are in memory, of 20,000 %d", pending[5_000], pending[20_000])
	}
}

func backlogOf(t *testing.T, n, hours int) (pending int) {
	w := newWorld(t)
	defer w.close()
	log := slog.New(slog.DiscardHandler)
	admin := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer admin.Close()
	var shapes []kafka.Shape
	for _, s := range (kafka.Layout{Group: group, Channels: []kafka.Channel{{Name: "desk", Partitions: 1}, {Name: "other", Partitions: 1}}}).Shapes(1, nil) {
		if s.Role == kafka.RoleOutbox {
			shapes = append(shapes, s)
		}
	}
	if err := kafka.Create(w.ctx, kadm.NewClient(admin), shapes); err != nil {
		t.Fatal(err)
	}
	put := func(records []*kgo.Record) {
		t.Helper()
		if err := admin.ProduceSync(w.ctx, records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	desk, other := &takings{suspended: true}, &takings{}
	reg := prometheus.NewRegistry()
	metrics := dispatch.NewMetrics(reg)
	dead := w.client(kafka.DeadLetterOptions(func(string) int32 { return kafka.DefaultMaxMessage })...)
	defer dead.Close()
	writer := dlq.NewWriter(dlq.WriterParams{Client: dead, Group: group, Logger: log})
	outbox := func(name string, ch channel.Channel, pace dispatch.Pace) *dispatch.Dispatcher {
		return dispatch.New(dispatch.Params{
			Name: name, Channel: ch, Uncommitted: 64, Group: group, Dead: writer, Logger: log, Metrics: metrics,
			Config: dispatch.Config{Concurrency: 1, Pace: pace, Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Timeout: 10 * time.Second, Ambiguous: dispatch.Resend},
		})
	}
	outboxes := map[string]*dispatch.Dispatcher{
		topics.Outbox(group, "desk"):  outbox("desk", desk, dispatch.Pace{Rate: 1, Burst: 3}),
		topics.Outbox(group, "other"): outbox("other", other, dispatch.Pace{}),
	}
	member := consume.New(consume.Params{
		Name: "dispatch", Group: topics.OutboxGroup(group), Topics: []string{topics.Outbox(group, "desk"), topics.Outbox(group, "other")}, OwnTopics: true,
		Cluster: w.cluster, Options: w.opts, SessionTimeout: 15 * time.Second, Window: consume.Window{Records: backlogWindow, Bytes: 64 << 20},
		Drain: 5 * time.Second, Handler: dispatch.NewHandler(dispatch.HandlerParams{Outboxes: outboxes, Dead: dlq.NewLog(dead), Logger: log}), Logger: log,
	})
	ctx, cancel := context.WithCancel(w.ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := member.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	for first := 0; first < n; first += 1000 {
		put(waitingRecords("desk", first, 1000, time.Duration(hours)*time.Hour/2))
		time.Sleep(time.Second)
	}
	pending = outboxes[topics.Outbox(group, "desk")].Status().Pending
	if pending < backlogWindow || pending > 4*backlogWindow {
		t.Errorf("%d are in memory, the window is %d", pending, backlogWindow)
	}
	for hour := range hours {
		put(waitingRecords("other", hour, 1, 0))
		time.Sleep(time.Hour)
	}
	if other.count() != hours || other.late > time.Second {
		t.Errorf("the other channel got %d of %d, the slowest after %s", other.count(), hours, other.late)
	}
	if minutes := hours * 60; desk.tries < minutes-minutes/10 || desk.tries > minutes+minutes/10 {
		t.Errorf("the suspended channel was tried %d times in %d minutes, want once a minute", desk.tries, minutes)
	}
	desk.mu.Lock()
	desk.suspended = false
	desk.mu.Unlock()
	time.Sleep(time.Duration(n/10+120) * time.Second)
	cancel()
	<-stopped
	for _, o := range outboxes {
		_ = o.Close()
	}
	if desk.count() != n/10 {
		t.Errorf("%d were taken, want the %d that do not expire", desk.count(), n/10)
	}
	if got := counted(t, reg, "notifier_deliveries_total", "desk", "expired"); int(got) != n-n/10 {
		t.Errorf("%v are counted as expired, want %d", got, n-n/10)
	}
	last := make(map[string]int)
	for i, title := range desk.titles {
		var key, number int
		if _, err := fmt.Sscanf(title, "k%d/%d", &key, &number); err != nil {
			t.Fatal(err)
		}
		if k := fmt.Sprint(key); number < last[k] {
			t.Errorf("%s came after %d", title, last[k])
		} else {
			last[k] = number
		}
		if j := i + 63; j < len(desk.at) && desk.at[j].Sub(desk.at[i]) < 59*time.Second { // a minute takes 60 and the burst of 3
			t.Fatalf("64 were sent within %s", desk.at[j].Sub(desk.at[i]))
		}
	}
	return pending
}

// counted returns a counter by its channel and outcome.
func counted(t *testing.T, reg *prometheus.Registry, name, channel, result string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == name && labels["channel"] == channel && labels["outcome"] == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	return -1
}
