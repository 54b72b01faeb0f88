//go:build synctests

package endtoend

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/daemon"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/obs/admin"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/schemaregistry"
	"github.com/algotrade/notifier/internal/topics"
)

const rules = `
version: 1
rules:
  - {name: every, topic: trade-executions, when: event.alert == true, to: [hook], title: "{{ event.k }}/{{ event.n }}"}
`

const (
	group    = "notification-service"
	keys     = 40
	perKey   = 60
	quietFor = 4 // records without an alert for each one with
)

// sink is the provider: slow now and then, and failing a little.
type sink struct {
	t    *testing.T
	mu   sync.Mutex
	rand *rand.Rand
	// next is, per key, how many of its alerts have been taken in order.
	next      map[string]int
	delivered map[string]int
	attempts  int
	// takes, where it is set, is how long each attempt takes; none fails then.
	takes time.Duration
}

// Send implements channel.Channel. It checks the order of lanes: the first
// attempt of one alert comes after the one before it was taken.
func (s *sink) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	title := m.Alert.Title.String()
	var key string
	var n int
	if _, err := fmt.Sscanf(title, "k%d/%d", new(int), &n); err != nil {
		s.t.Errorf("title %q", title)
	}
	key = title[:len(title)-len(strconv.Itoa(n))-1]
	s.mu.Lock()
	s.attempts++
	if n > s.next[key] {
		s.t.Errorf("%s starts while %s/%d is not delivered", title, key, s.next[key])
	}
	took := time.Duration(1+s.rand.IntN(20)) * time.Millisecond
	if s.rand.IntN(200) == 0 {
		took = time.Second
	}
	fails := s.rand.IntN(100) == 0
	if s.takes > 0 {
		took, fails = s.takes, false
	}
	s.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return channel.Receipt{}, context.Cause(ctx)
	}
	if fails {
		return channel.Receipt{}, outcome.Errorf(outcome.Unavailable, "not now")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered[title]++
	if n == s.next[key] {
		s.next[key]++
	}
	return channel.Receipt{}, nil
}

// world is a broker in memory and what every node needs of it.
type world struct {
	t       *testing.T
	ctx     context.Context
	net     *kfake.VirtualNetwork
	fake    *kfake.Cluster
	config  kafka.Config
	opts    []kgo.Opt // of other clients
	cluster string
	set     *rule.Set
	sink    *sink
	channel channel.Channel // nil: the sink
	window  kafka.Window
	digest  digest.Setting
	schemas http.RoundTripper // to the schema registry; nil: there is none
}

func (w *world) client(more ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, w.opts...), more...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return cl
}

// node is one notifier that runs. stop ends it and waits for that.
type node struct {
	ready func() []admin.Component
	stop  func()
	crash func() // as kill -9 does: nothing more reaches the brokers
}

func (w *world) node() *node {
	w.t.Helper()
	c := daemon.Config{Kafka: w.config, Events: event.Defaults(), Rules: w.set, MaxReplays: maxReplays, Drain: 5 * time.Second}
	c.Kafka.Window = w.window
	c.Channels = []daemon.Channel{{Name: "hook", Channel: w.channel, Dispatch: dispatch.Config{
		Concurrency: 16, Partitions: 4, Timeout: 10 * time.Second,
		Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Ambiguous: dispatch.Resend, Digest: w.digest,
	}}}
	if w.channel == nil {
		c.Channels[0].Channel = w.sink
	}
	if w.schemas != nil {
		c.SchemaRegistry = schemaregistry.Defaults()
		c.SchemaRegistry.URLs = []string{"http://registry:8081"}
	}
	started, wire := make(chan struct{}), newWire(w.net.DialContext, func(int, []byte) {})
	d, err := daemon.New(c, daemon.Deps{
		Logger: slog.New(slog.DiscardHandler), Started: func(string) { close(started) }, SchemaRegistry: w.schemas,
		// Its clients fetch from a topic that is gone without a pause, which wire makes.
		KafkaOptions: func(role string) []kgo.Opt { return []kgo.Opt{wire.dialer(role, 0)} },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	select {
	case <-started:
	case err := <-ended:
		w.t.Fatal(err)
	}
	return &node{
		ready: d.Ready,
		stop: func() {
			cancel()
			if err := <-ended; err != nil {
				w.t.Error(err)
			}
		},
		crash: func() {
			wire.cut()
			cancel()
			<-ended
		},
	}
}

// TestChurnLosesNothing lets nodes join and leave about every second while
// records come in and alerts go out.
func TestChurnLosesNothing(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { churn(t, seed) })
	}
}

func churn(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 7))
		w := newWorld(t)
		commits := watchCommits(t, w.fake)

		nodes := []*node{w.node()}
		produced := make(chan struct{})
		go func() {
			defer close(produced)
			w.produce(seed)
		}()
		for range 30 {
			time.Sleep(time.Duration(500+random.IntN(1000)) * time.Millisecond)
			if len(nodes) == 1 || len(nodes) < 4 && random.IntN(2) == 0 {
				nodes = append(nodes, w.node())
				continue
			}
			i := random.IntN(len(nodes))
			leaving := nodes[i]
			nodes = append(nodes[:i], nodes[i+1:]...)
			leaving.stop()
		}
		<-produced
		for waited := 0; ; waited++ {
			w.sink.mu.Lock()
			n := len(w.sink.delivered)
			w.sink.mu.Unlock()
			if n == keys*perKey {
				break
			}
			if waited == 120 {
				t.Fatalf("%d of %d alerts are delivered after two more minutes", n, keys*perKey)
			}
			time.Sleep(time.Second)
		}
		for _, n := range nodes {
			n.stop()
		}
		duplicates := 0
		for _, n := range w.sink.delivered {
			duplicates += n - 1
		}
		t.Logf("%d alerts, %d attempts, %d duplicates", keys*perKey, w.sink.attempts, duplicates)
		if *commits < 100 {
			t.Errorf("only %d commits were seen", *commits)
		}
		// A send that outlasts the second of a revoke is done again by the next
		// owner, and nothing else.
		if duplicates > keys*perKey/50 {
			t.Errorf("%d of %d alerts were delivered more than once", duplicates, keys*perKey)
		}
		w.close()
	})
}

// close ends the cluster, once the requests have ended that closed clients gave up.
func (w *world) close() {
	time.Sleep(time.Second)
	w.fake.Close()
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, ctx: context.Background(), net: &kfake.VirtualNetwork{}, window: kafka.Window{Unsettled: 256, Bytes: 8 << 20, Uncommitted: 64},
		sink: &sink{t: t, rand: rand.New(rand.NewPCG(3, 9)), next: map[string]int{}, delivered: map[string]int{}},
	}
	w.fake = newCluster(t, w.net, map[string]int32{string(topics.TradeExecutions): 6}, map[string]int32{"hook": 4}, kfake.NumBrokers(1))
	w.config = kafka.Defaults()
	w.config.Brokers, w.config.Group = w.fake.ListenAddrs(), group
	var err error
	if w.opts, err = w.config.Options("test", slog.New(slog.DiscardHandler), nil); err != nil {
		t.Fatal(err)
	}
	w.opts = append(w.opts, kgo.Dialer(w.net.DialContext))
	cl := w.client()
	defer cl.Close()
	adm := kadm.NewClient(cl)
	md, err := adm.BrokerMetadata(w.ctx)
	if err != nil {
		t.Fatal(err)
	}
	w.cluster = md.Cluster
	set, faults := rule.Compile("rules.yaml", []byte(rules), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	w.set = set
	err = consume.EnsureStart(w.ctx, adm, consume.StartParams{Group: group, Cluster: w.cluster, Topics: []string{string(topics.TradeExecutions)}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// produce sends each key's alerts in order, quiet records between them, over
// about half a minute.
func (w *world) produce(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	cl := w.client(kgo.ProducerLinger(0))
	defer cl.Close()
	sent := make([]int, keys)
	for left := keys * perKey; left > 0; {
		k := random.IntN(keys)
		if sent[k] == perKey {
			continue
		}
		var batch []*kgo.Record
		key := []byte("k" + strconv.Itoa(k))
		for range quietFor {
			batch = append(batch, &kgo.Record{Topic: string(topics.TradeExecutions), Key: key, Value: []byte(`{"alert":false}`)})
		}
		batch = append(batch, &kgo.Record{
			Topic: string(topics.TradeExecutions), Key: key,
			Value: fmt.Appendf(nil, `{"alert":true,"k":%q,"n":%d}`, key, sent[k]),
		})
		if err := cl.ProduceSync(w.ctx, batch...).FirstErr(); err != nil {
			w.t.Error(err)
			return
		}
		sent[k]++
		left--
		time.Sleep(time.Duration(random.IntN(25)) * time.Millisecond)
	}
}

// watchCommits checks that no committed offset goes backwards.
func watchCommits(t *testing.T, fake *kfake.Cluster) (seen *int) {
	seen = new(int)
	last := make(map[string]int64)
	fake.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		commit := req.(*kmsg.OffsetCommitRequest)
		for _, topic := range commit.Topics {
			for _, p := range topic.Partitions {
				name := topic.Topic
				if name == "" {
					name = fmt.Sprintf("%x", topic.TopicID)
				}
				at := fmt.Sprintf("%s %s/%d", commit.Group, name, p.Partition)
				if p.Offset < last[at] {
					t.Errorf("a commit of %s goes back from %d to %d", at, last[at], p.Offset)
				}
				last[at] = p.Offset
				*seen++
			}
		}
		return nil, nil, false
	})
	return seen
}
