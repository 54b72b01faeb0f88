// Package endtoend runs both stages against a broker: records in, alerts out.
package endtoend

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/match"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

type plainDecoder struct{}

func (plainDecoder) Decode(r event.Record) (event.Event, error) {
	var m map[string]any
	if err := json.Unmarshal(r.Value, &m); err != nil {
		return event.Event{}, outcome.Errorf(outcome.NotJSON, "not JSON")
	}
	id, _ := m["id"].(string)
	return event.Event{Record: r, ID: id, Time: r.Time}, nil
}

type everyEvent struct{}

func (everyEvent) Match(ev *event.Event, _ time.Time) []alert.Alert {
	if ev.ID == "quiet" {
		return nil
	}
	return []alert.Alert{{Rule: "all", Severity: alert.Warning, Title: alert.Text{{Text: ev.ID}}, EventTime: ev.Time, Channels: []string{"hook"}}}
}

type sink struct {
	mu  sync.Mutex
	got []string
}

func (s *sink) Send(_ context.Context, m dispatch.Message) (dispatch.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, m.Alert.Title.String())
	return dispatch.Receipt{}, nil
}

func TestSmoke(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "trade-executions"),
		kfake.SeedTopics(1, "g.dlq.trade-executions"), kfake.SeedTopics(2, "g.outbox.hook"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	client := func(opts ...kgo.Opt) *kgo.Client {
		cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(50*time.Millisecond))...)
		if err != nil {
			t.Fatal(err)
		}
		return cl
	}
	ctx := context.Background()
	out := client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	defer out.Close()
	dead := client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	defer dead.Close()
	md, err := kadm.NewClient(out).BrokerMetadata(ctx)
	if err != nil {
		t.Fatal(err)
	}
	outboxes, err := match.NewOutboxes(ctx, out, "g", []string{"hook"}, log)
	if err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	w := dlq.NewWriter(dead, "g", log, reg)
	h := match.New(match.Params{Group: "g", Cluster: md.Cluster, Decoder: plainDecoder{}, Rules: everyEvent{}, Outboxes: outboxes, Dead: w, Topics: []string{"trade-executions"}, Logger: log, Registry: reg})
	s := &sink{}
	ob := dispatch.NewOutbox(dispatch.Params{Name: "hook", Channel: s, Config: dispatch.Config{Concurrency: 4, Retry: dispatch.Retry{Initial: 500 * time.Millisecond, Factor: 2, Max: 30 * time.Second, Attempts: 6}, Breaker: dispatch.Breaker{Failures: 5, Open: time.Second}, Timeout: 5 * time.Second}, Uncommitted: 64, Dead: w, Logger: log, Metrics: dispatch.NewMetrics(reg)})
	dh := dispatch.NewHandler(map[string]*dispatch.Outbox{topics.Outbox("g", "hook"): ob}, log)
	base := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(50 * time.Millisecond)}
	win := consume.Window{Records: 4096, Bytes: 64 << 20}
	if err := consume.EnsureStart(ctx, kadm.NewClient(out), consume.StartParams{Group: "g", Cluster: md.Cluster, Topics: []string{"trade-executions"}, Own: []string{"g.outbox.hook"}}); err != nil {
		t.Fatal(err)
	}
	m1 := consume.New(consume.Params{Name: "match", Group: "g", Topics: []string{"trade-executions"}, Cluster: md.Cluster, Options: base, SessionTimeout: 15 * time.Second, Window: win, Drain: 5 * time.Second, Handler: h, Logger: log, Registry: reg})
	m2 := consume.New(consume.Params{Name: "deliver", Group: "g.outbox", Topics: []string{"g.outbox.hook"}, OwnTopics: true, Cluster: md.Cluster, Options: base, SessionTimeout: 15 * time.Second, Window: win, Drain: 5 * time.Second, Handler: dh, Logger: log, Registry: reg})
	runCtx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { m1.Run(runCtx) })
	wg.Go(func() { m2.Run(runCtx) })
	p := client(kgo.ProducerLinger(0))
	defer p.Close()
	for i := range 1000 {
		v := fmt.Sprintf(`{"id":"e%d"}`, i)
		if i%10 != 0 {
			v = `{"id":"quiet"}`
		}
		if i == 500 {
			v = `{"id":`
		}
		p.Produce(ctx, &kgo.Record{Topic: "trade-executions", Key: []byte(fmt.Sprint("k", i%7)), Value: []byte(v)}, nil)
	}
	p.Flush(ctx)
	deadline := time.Now().Add(10 * time.Second)
	for {
		s.mu.Lock()
		n := len(s.got)
		s.mu.Unlock()
		if n >= 99 || time.Now().After(deadline) {
			t.Log("delivered", n)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	start := time.Now()
	stop()
	wg.Wait()
	t.Log("stopped in", time.Since(start))
	adm := kadm.NewClient(out)
	for _, g := range []string{"g", "g.outbox"} {
		o, _ := adm.FetchOffsets(ctx, g)
		o.Each(func(o kadm.OffsetResponse) { t.Log(g, o.Topic, o.Partition, o.At, o.Metadata) })
	}
	entries, err := dlq.NewReader("g", base...).List(ctx, topics.TradeExecutions)
	t.Log(err, len(entries))
	for _, e := range entries {
		t.Logf("%+v", e)
	}
}
