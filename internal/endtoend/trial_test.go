//go:build synctests

package endtoend

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/topics"
)

const (
	session     = 8 * time.Second
	rebalance   = 10 * time.Second // what consume gives one
	uncommitted = 64
	concurrency = 16 // attempts at once of a channel
	maxReplays  = 3
	brokers     = 3
)

// trial is a cluster of three brokers in memory, its topics, the providers of
// two channels, and the processes that come and go.
type trial struct {
	t          *testing.T
	ctx        context.Context
	net        *kfake.VirtualNetwork
	fake       *kfake.Cluster
	cluster    string
	set        *rule.Set
	partitions map[string]int32 // by channel
	providers  map[string]*provider
	history    *history
	events     []*original
	eager      bool // the old way of rebalancing
	overtaken  overtakings

	admin *kgo.Client
	adm   *kadm.Client

	dying sync.WaitGroup // goroutines of processes that crashed

	mu        sync.Mutex
	all       []*process
	living    []*process
	started   int
	whole     atomic.Bool // nothing is disturbed from now on
	faults    []*kfake.FaultHandle
	lives     int                     // of processes, ever
	ids       map[string]oracle.Place // topics by their ids, in text: which, and which instance of it
	present   map[string]int          // the instance of a topic that there is now, or will be
	gone      map[oracle.Place][]*kgo.Record
	writers   map[int64]int          // producer ids, and whose they are
	grown     map[oracle.Place]int64 // how far logs were seen to have grown
	committed map[commit]commit      // the last commit that was seen, by its first three fields
}

func newTrial(t *testing.T, partitions map[string]int32, moods map[string]mood, events []*original, seed uint64) *trial {
	tr := &trial{
		t: t, ctx: context.Background(), net: &kfake.VirtualNetwork{}, partitions: partitions, events: events,
		history: &history{begun: time.Now()}, ids: make(map[string]oracle.Place), providers: make(map[string]*provider),
		present: make(map[string]int), gone: make(map[oracle.Place][]*kgo.Record), writers: make(map[int64]int),
		grown: make(map[oracle.Place]int64), committed: make(map[commit]commit),
	}
	for c := range partitions {
		tr.providers[c] = &provider{name: c, seed: seed ^ uint64(len(c)), mood: moods[c], history: tr.history, events: events, tries: make(map[int]int)}
	}
	tr.fake = newCluster(t, tr.net, map[string]int32{string(topics.TradeExecutions): 3, string(topics.PortfolioUpdates): 2}, partitions, kfake.Ports(9092, 9093, 9094))
	tr.admin = tr.client("operator", replay.ClientOptions(kafka.MaxEnvelope)...)
	tr.adm = kadm.NewClient(tr.admin)
	md, err := tr.adm.BrokerMetadata(tr.ctx)
	if err != nil {
		t.Fatal(err)
	}
	tr.cluster = md.Cluster
	set, faults := rule.Compile("rules.yaml", []byte(trialRules), rule.Environment{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	tr.set = set
	for _, topic := range slices.Concat(tr.sources(), tr.ours()) {
		tr.identify(topic)
	}
	tr.history.look = tr.look
	return tr
}

func (t *trial) sources() []string {
	var names []string
	for _, n := range topics.All() {
		names = append(names, string(n))
	}
	return names
}

func (t *trial) channels() []string { return []string{"calm", "rough"} }

func (t *trial) outboxTopics() []string {
	return []string{topics.Outbox(group, "calm"), topics.Outbox(group, "rough")}
}

func (t *trial) deadTopics() []string {
	return []string{topics.DeadLetter(group, topics.TradeExecutions), topics.DeadLetter(group, topics.PortfolioUpdates)}
}

func (t *trial) ours() []string {
	return slices.Concat(t.outboxTopics(), t.deadTopics(), []string{topics.Replay(group)})
}

func (t *trial) forget(n *process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.living = slices.DeleteFunc(t.living, func(other *process) bool { return other == n })
}

// alive returns the processes that run.
func (t *trial) alive() []*process {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.living)
}

// one returns a process that runs; nil: there is none.
func (t *trial) one(random *rand.Rand) *process {
	if all := t.alive(); len(all) > 0 {
		return all[random.IntN(len(all))]
	}
	return nil
}

// client is one that is none of the daemon's.
func (t *trial) client(name string, more ...kgo.Opt) *kgo.Client {
	config := kafka.Defaults()
	config.Brokers, config.ClientID = t.fake.ListenAddrs(), name
	opts, err := config.Options("test", slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.t.Fatal(err)
	}
	cl, err := kgo.NewClient(append(append(opts, kgo.Dialer(t.net.DialContext)), more...)...)
	if err != nil {
		t.t.Fatal(err)
	}
	return cl
}

// identify takes down the id of a topic that was made.
func (t *trial) identify(topic string) {
	id := envelope.TopicID(t.fake.TopicInfo(topic).TopicID)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ids[id] = oracle.Place{Topic: topic, Instance: t.present[topic]}
}

// produce writes the events, spread over a time.
func (t *trial) produce(random *rand.Rand, over time.Duration) {
	cl := t.client("platform", kgo.ProducerLinger(0))
	defer cl.Close()
	pause := over / time.Duration(len(t.events))
	for left := t.events; len(left) > 0; {
		n := min(1+random.IntN(12), len(left))
		batch := make([]*kgo.Record, n)
		for i, e := range left[:n] {
			batch[i] = e.record
		}
		left = left[n:]
		if err := cl.ProduceSync(t.ctx, batch...).FirstErr(); err != nil {
			t.t.Error(err)
			return
		}
		time.Sleep(time.Duration(n) * pause)
	}
}

// read returns the records of a partition, in order, with their producers.
func (t *trial) read(topic string, p *kfake.PartitionInfo) []*kgo.Record {
	var all []*kgo.Record
	for at, tries := p.LogStartOffset, 0; at < p.HighWatermark && tries < 100; tries++ {
		req := kmsg.NewPtrFetchRequest()
		req.MaxBytes = 64 << 20
		ft := kmsg.NewFetchRequestTopic()
		ft.Topic, ft.TopicID = topic, t.fake.TopicInfo(topic).TopicID
		fp := kmsg.NewFetchRequestTopicPartition()
		fp.Partition, fp.FetchOffset, fp.PartitionMaxBytes, fp.CurrentLeaderEpoch = p.Partition, at, 32<<20, -1
		ft.Partitions = append(ft.Partitions, fp)
		req.Topics = append(req.Topics, ft)
		resp, err := req.RequestWith(t.ctx, t.admin.Broker(int(t.fake.PartitionInfo(topic, p.Partition).Leader)))
		if err != nil || resp.ErrorCode != 0 || len(resp.Topics) == 0 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: at, Topic: topic, Partition: p.Partition}, &resp.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
		all, at = append(all, got.Records...), next
	}
	return all
}

// atRest reports what is still to be done; "": nothing.
func (t *trial) atRest() string {
	for g, names := range map[string][]string{group: append(t.sources(), topics.Replay(group)), topics.OutboxGroup(group): t.outboxTopics()} {
		info := t.fake.GroupInfo(g)
		if info == nil {
			return "no group " + g
		}
		for _, topic := range names {
			for _, p := range t.fake.PartitionInfos(topic) {
				c, ok := info.Commits[topic][p.Partition]
				ours := strings.Contains(c.Metadata, " "+envelope.TopicID(t.fake.TopicInfo(topic).TopicID)) // a commit for another instance is none
				if p.HighWatermark > 0 && (!ok || !ours || c.Offset < p.HighWatermark) {
					return fmt.Sprintf("%s/%d is committed at %d of %d", topic, p.Partition, c.Offset, p.HighWatermark)
				}
			}
		}
	}
	return ""
}

// rest waits until nothing is left to be done.
func (t *trial) rest(most time.Duration) bool {
	begun, unstuck := time.Now(), time.Duration(0)
	for {
		left := t.atRest()
		if left == "" {
			return true
		}
		if time.Since(begun) > 2*time.Minute { // a message that always fails waits forever without a witness
			t.fix()
		}
		if now := time.Since(begun); now > unstuck+2*time.Minute {
			unstuck = now
			t.unstick()
		}
		if time.Since(begun) > most {
			for _, g := range []string{group, topics.OutboxGroup(group)} {
				t.history.note(fault, "", "%+v", t.fake.GroupInfo(g))
			}
			t.t.Errorf("it does not come to rest within %s: %s", most, left)
			return false
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// fault installs a fault until it has hit or everything has recovered.
func (t *trial) fault(f kfake.Fault) *kfake.FaultHandle {
	h := t.fake.Fault(f)
	t.mu.Lock()
	t.faults = append(t.faults, h)
	t.mu.Unlock()
	t.history.note(fault, "", "%v %s%s: %v, %d times", f.Keys, f.Topic, f.Group, f.Err, f.Count)
	return h
}

// stop ends every process.
func (t *trial) stop() {
	for _, n := range t.alive() {
		n.leave()
	}
	for _, n := range t.all {
		<-n.ended
	}
	t.dying.Wait()
}

func (t *trial) close() {
	time.Sleep(10 * time.Second) // whatever still sleeps
	t.admin.Close()
	t.fake.Close()
}
