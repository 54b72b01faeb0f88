// Package bench measures the daemon beside its limits, in one run and on one
// machine: how fast raw consuming is, how fast the quiet path is beside it, how
// many posts a second go out, how long an event takes to its post, and what
// memory a backlog takes. See README.md. But for one, each benchmark makes one
// long run and reports rates of its own; ns/op means nothing there.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

const group = "notification-service"

// desk is a broker with the topics on it, and what a daemon there needs.
type desk struct {
	b       *testing.B
	config  kafka.Config
	cluster string
	log     *slog.Logger
	shapes  []kafka.Shape
	rules   *rule.Set
}

func newDesk(b *testing.B) *desk {
	b.Helper()
	return newDeskOf(b, 6, configs.Rules)
}

// newDeskOf returns a desk with so many source partitions and these rules.
func newDeskOf(b *testing.B, partitions int32, rules []byte) *desk {
	b.Helper()
	d := &desk{b: b, config: kafka.Defaults(), log: slog.New(slog.DiscardHandler)}
	var faults yamldoc.Faults
	if d.rules, faults = rule.Compile("rules.yaml", rules, rule.Environment{Channels: []string{"desk"}}); len(faults.Errors()) > 0 {
		b.Fatal(faults)
	}
	d.config.Brokers = []string{startBroker(b)}
	d.shapes = kafka.Layout{Group: group, Partitions: partitions, Channels: []kafka.Channel{{Name: "desk", Partitions: 6}}}.Shapes(1, nil)
	admin := kadm.NewClient(d.client())
	for _, s := range d.shapes {
		s.Configs["retention.bytes"] = "-1" // the backlog stays
		settings := make(map[string]*string)
		for name, value := range s.Configs {
			settings[name] = &value
		}
		if _, err := admin.CreateTopic(b.Context(), s.Partitions, 1, settings, s.Topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			b.Fatal(err)
		}
	}
	until(b, func() bool { // a real Kafka tells later
		all, err := admin.ListTopics(b.Context())
		return err == nil && !slices.ContainsFunc(d.shapes, func(s kafka.Shape) bool { return !all.Has(s.Topic) })
	})
	md, err := admin.BrokerMetadata(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	d.cluster = md.Cluster
	return d
}

func (d *desk) options() []kgo.Opt {
	opts, err := d.config.Options("bench", d.log, nil)
	if err != nil {
		d.b.Fatal(err)
	}
	return opts
}

func (d *desk) client(more ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(d.options(), more...)...)
	if err != nil {
		d.b.Fatal(err)
	}
	d.b.Cleanup(cl.Close)
	return cl
}

// quiet and loud are events of about 350 bytes; the loud one is a rejected
// order.
func document(kind string, n int) []byte {
	return fmt.Appendf(nil, `{"event_id":"01KAQ2C7VY3E8M5Z%010d","event_type":%q,"schema":"trade-execution/1","occurred_at":%q,"session_id":"ses-%04d",`+
		`"account_id":"ACC-%d","strategy_id":"mean-rev-7","mode":"live","order_id":"ord-%d","symbol":"AAPL","venue":"XNAS","side":"buy","order_qty":"200",`+
		`"notional":"38070.00","slippage_bps":2.63,"reject_code":null,"reason":null}`, n, kind, time.Now().UTC().Format(time.RFC3339Nano), n%5000, n, n)
}

// fill writes n events, one in every `every` of them loud; 0: none.
func (d *desk) fill(n, every int, more ...kgo.Opt) {
	cl := d.client(append(more, kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(100_000))...)
	for i := range n {
		kind := "order.accepted"
		if every > 0 && i%every == 0 {
			kind = "order.rejected"
		}
		cl.Produce(d.b.Context(), &kgo.Record{Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, i%5000), Value: document(kind, i)}, nil)
	}
	if err := cl.Flush(d.b.Context()); err != nil {
		d.b.Fatal(err)
	}
}

// raw consumes n events as fast as the client can and does nothing with them.
func (d *desk) raw(n int) time.Duration {
	began := time.Now()
	cl := d.client(kgo.ConsumeTopics(string(topics.TradeExecutions)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxPartitionBytes(1<<20), kgo.FetchMaxBytes(8<<20))
	for got := 0; got < n; {
		got += cl.PollRecords(d.b.Context(), 10_000).NumRecords()
	}
	return time.Since(began)
}

// engine is a daemon with the default rules and one channel.
type engine struct {
	stop    func()
	handled *counting
}

// counting counts what a handler advances over, without touching its path.
type counting struct{ registry *prometheus.Registry }

func (c *counting) records() int {
	families, err := c.registry.Gather()
	if err != nil {
		return 0
	}
	n := 0.0
	for _, f := range families {
		if f.GetName() == "notifier_records_total" {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return int(n)
}

// run starts a daemon and returns once its parts run.
func (d *desk) run(channel channel.Channel, concurrency int) *engine {
	d.b.Helper()
	reg, started := prometheus.NewRegistry(), make(chan struct{})
	n, err := daemon.New(daemon.Config{
		Kafka: d.config, Events: event.Defaults(), Rules: d.rules, MaxReplays: 3, Drain: 5 * time.Second,
		Channels: []daemon.Channel{{Name: "desk", Channel: channel, Dispatch: dispatch.Config{
			Concurrency: concurrency, Partitions: 6, Timeout: 10 * time.Second,
			Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Ambiguous: dispatch.Resend,
		}}},
	}, daemon.Deps{Logger: d.log, Registry: reg, Started: func(string) { close(started) }})
	if err != nil {
		d.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	e := &engine{handled: &counting{registry: reg}}
	select {
	case <-started:
	case err := <-ended:
		d.b.Fatal(err)
	}
	e.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			d.b.Error(err)
		}
	})
	d.b.Cleanup(e.stop)
	return e
}

// sink takes everything at once.
type sink struct{ got atomic.Int64 }

// Send implements channel.Channel.
func (s *sink) Send(context.Context, channel.Message) (channel.Receipt, error) {
	s.got.Add(1)
	return channel.Receipt{}, nil
}

func until(b *testing.B, holds func() bool) {
	b.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			b.Fatal("it does not finish within two minutes")
		}
		time.Sleep(time.Millisecond)
	}
}

// BenchmarkQuietPath is ingest on events of 350 bytes of which one in a
// thousand alerts, beside raw consuming of the same events in the same run.
func BenchmarkQuietPath(b *testing.B) {
	const n = 1_000_000
	d := newDesk(b)
	d.fill(n, 1000)
	raw := d.raw(n)
	s := &sink{}
	e := d.run(s, 16)
	began := time.Now()
	until(b, func() bool { return e.handled.records() >= n })
	quiet := time.Since(began)
	until(b, func() bool { return s.got.Load() >= n/1000 })
	e.stop()
	b.ReportMetric(n/raw.Seconds(), "raw-events/s")
	b.ReportMetric(n/quiet.Seconds(), "events/s")
}

// BenchmarkQuietPathCompressed is the same without raw consuming, for events that
// their producers compress.
func BenchmarkQuietPathCompressed(b *testing.B) {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		b.Run(name, func(b *testing.B) {
			const n = 500_000
			d := newDesk(b)
			d.fill(n, 1000, kgo.ProducerBatchCompression(codec))
			s := &sink{}
			e := d.run(s, 16)
			began, cpu := time.Now(), processTime()
			until(b, func() bool { return e.handled.records() >= n })
			b.ReportMetric(n/time.Since(began).Seconds(), "events/s")
			b.ReportMetric(float64(processTime()-cpu)/n, "cpu-ns/event")
			e.stop()
		})
	}
}

// processTime is the CPU time that this process has taken: what other users of
// the machine do does not show in it.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDecodeAndMatch is the same without a broker: one goroutine.
func BenchmarkDecodeAndMatch(b *testing.B) {
	set, faults := rule.Compile("rules.yaml", configs.Rules, rule.Environment{})
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	decoder := event.NewDecoder(nil, set.Reads(), nil)
	rec := event.Record{Topic: string(topics.TradeExecutions), Value: document("order.accepted", 1), Time: time.Now()}
	b.SetBytes(int64(len(rec.Value)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := decoder.Decode(rec)
		if err != nil {
			b.Fatal(err)
		}
		if alerts, err := set.Match(&e, rec.Time); err != nil || len(alerts) > 0 {
			b.Fatal("it is not quiet")
		}
	}
}

// posts is a receiver that counts and, per event, keeps the time.
type posts struct {
	*httptest.Server
	n  atomic.Int64
	mu sync.Mutex
	at []time.Time
}

func newPosts(b *testing.B) *posts {
	p := &posts{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		p.mu.Lock()
		p.at = append(p.at, time.Now())
		p.mu.Unlock()
		p.n.Add(1)
	}))
	b.Cleanup(p.Close)
	return p
}

func (p *posts) channel(b *testing.B, concurrency int) channel.Channel {
	c, err := webhook.New(webhook.Config{URL: secret.New(p.URL), Secret: []secret.String{secret.New("raw:a secret of the bench")}}, concurrency, nil)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkPosts is a backlog of alerts, signed and posted.
func BenchmarkPosts(b *testing.B) {
	const n = 20_000
	d := newDesk(b)
	d.fill(n, 1)
	p := newPosts(b)
	e := d.run(p.channel(b, 64), 64)
	until(b, func() bool { return p.n.Load() >= n })
	e.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	b.ReportMetric(n/p.at[n-1].Sub(p.at[0]).Seconds(), "posts/s") // joining the groups is not in it
}

// BenchmarkLatency is event to post at 500 alerts a second.
func BenchmarkLatency(b *testing.B) {
	const n, perSecond = 2500, 500
	d := newDesk(b)
	p := newPosts(b)
	e := d.run(p.channel(b, 16), 16)
	cl := d.client(kgo.ProducerLinger(0))
	send := func(i int) { // one lane each, so that posts come in the order of sending, nearly
		cl.Produce(b.Context(), &kgo.Record{Topic: string(topics.TradeExecutions), Key: fmt.Append(nil, i), Value: document("order.rejected", i)}, nil)
	}
	send(0)
	until(b, func() bool { return p.n.Load() == 1 })
	p.mu.Lock()
	p.at = nil
	p.mu.Unlock()
	before := p.n.Load()
	sent := make([]time.Time, n)
	tick := time.NewTicker(time.Second / perSecond)
	for i := range n {
		<-tick.C
		sent[i] = time.Now()
		send(int(before) + i)
	}
	tick.Stop()
	until(b, func() bool { return p.n.Load() >= before+n })
	took := make([]time.Duration, n)
	p.mu.Lock()
	for i, at := range p.at[:n] {
		took[i] = at.Sub(sent[i])
	}
	p.mu.Unlock()
	slices.Sort(took)
	b.ReportMetric(float64(took[n/2].Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(took[n*99/100].Microseconds())/1000, "p99-ms")
	e.stop()
}

// BenchmarkBacklogMemory is what the process holds while it works through five
// million waiting records.
func BenchmarkBacklogMemory(b *testing.B) {
	const n = 5_000_000
	if testing.Short() {
		b.Skip("takes a minute and 2 GB of disk")
	}
	d := newDesk(b)
	d.fill(n, 0)
	runtime.GC()
	e := d.run(&sink{}, 16)
	var most uint64
	until(b, func() bool {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse+m.StackInuse)
		time.Sleep(50 * time.Millisecond)
		return e.handled.records() >= n
	})
	b.ReportMetric(float64(most)/(1<<20), "MiB")
	e.stop()
}
