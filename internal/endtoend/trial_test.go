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

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/rule"
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

	admin *kgo.Client
	adm   *kadm.Client

	buries sync.WaitGroup // of processes that died

	mu      sync.Mutex
	all     []*process
	living  []*process
	started int
	whole   atomic.Bool // nothing is disturbed any more
	faults  []*kfake.FaultHandle
	ids     map[[16]byte]string      // topic ids
	gone    []outboxLog              // topics of ours that were deleted, as they were then
	stood   map[topicPartition]int64 // what was last seen to be committed
}

func newTrial(t *testing.T, partitions map[string]int32, moods map[string]mood, events []*original, seed uint64) *trial {
	tr := &trial{
		t: t, ctx: context.Background(), net: &kfake.VirtualNetwork{}, partitions: partitions, events: events,
		history: &history{begun: time.Now()}, ids: make(map[[16]byte]string), providers: make(map[string]*provider),
		stood: make(map[topicPartition]int64),
	}
	for c := range partitions {
		tr.providers[c] = &provider{name: c, seed: seed ^ uint64(len(c)), mood: moods[c], history: tr.history, events: events, tries: make(map[int]int)}
	}
	opts := []kfake.Opt{
		kfake.Ports(9092, 9093, 9094), kfake.ListenFn(tr.net.Listen),
		kfake.SeedTopics(3, string(topics.TradeExecutions)), kfake.SeedTopics(2, string(topics.PortfolioUpdates)), kfake.SeedTopics(1, topics.Replay(group)),
	}
	for _, s := range topics.All() {
		opts = append(opts, kfake.SeedTopics(1, topics.DeadLetter(group, s)))
	}
	for c, n := range partitions {
		opts = append(opts, kfake.SeedTopics(n, topics.Outbox(group, c)))
	}
	fake, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	tr.fake = fake
	tr.admin = tr.client("people", dlq.ProducerOptions(kafka.MaxEnvelope)...)
	tr.adm = kadm.NewClient(tr.admin)
	md, err := tr.adm.BrokerMetadata(tr.ctx)
	if err != nil {
		t.Fatal(err)
	}
	tr.cluster = md.Cluster
	set, faults := rule.Compile("rules.yaml", []byte(trialRules), rule.Surroundings{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	tr.set = set
	for _, topic := range slices.Concat(tr.sources(), tr.ours()) {
		tr.ids[fake.TopicInfo(topic).TopicID] = topic
	}
	tr.watchCommits()
	return tr
}

func (t *trial) sources() []string {
	return []string{string(topics.TradeExecutions), string(topics.PortfolioUpdates)}
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

// ends returns where the logs of our own topics end now.
func (t *trial) ends() map[topicPartition]int64 {
	ends := make(map[topicPartition]int64)
	for _, topic := range t.ours() {
		for _, p := range t.fake.PartitionInfos(topic) {
			ends[topicPartition{topic, p.Partition}] = p.HighWatermark
		}
	}
	return ends
}

// watchCommits puts every commit that is asked for into the history, with
// where our topics ended at that moment.
func (t *trial) watchCommits() {
	t.fake.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		t.fake.KeepControl()
		asked := req.(*kmsg.OffsetCommitRequest)
		t.lookBack(asked.Group)
		ends := t.ends()
		for _, topic := range asked.Topics {
			name := topic.Topic
			if name == "" {
				t.mu.Lock()
				name = t.ids[topic.TopicID]
				t.mu.Unlock()
			}
			for _, p := range topic.Partitions {
				c := &commit{group: asked.Group, topic: name, partition: p.Partition, offset: p.Offset, member: asked.MemberID, ends: ends}
				if p.Metadata != nil {
					c.metadata = *p.Metadata
				}
				t.history.add(step{kind: committed, event: -1, commit: c})
			}
		}
		return nil, nil, false
	})
}

// lookBack holds what stands against what stood before, of each instance of a
// topic: a commit that names another one counts as none.
func (t *trial) lookBack(g string) {
	info := t.fake.GroupInfo(g)
	if info == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for topic, ps := range info.Commits {
		for id, c := range ps {
			instance := ""
			if f := strings.Fields(c.Metadata); len(f) > 2 {
				instance = f[2]
			}
			p := topicPartition{g + " " + topic + " " + instance, id}
			if before, ok := t.stood[p]; ok && c.Offset < before {
				t.history.note(back, "", "%s/%d of %s from %d to %d", topic, id, g, before, c.Offset)
			}
			t.stood[p] = c.Offset
		}
	}
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

// read returns what a topic holds, all partitions, in their order.
func (t *trial) read(topic string) []*kgo.Record {
	log := dlq.NewLog(t.admin)
	var all []*kgo.Record
	for _, p := range t.fake.PartitionInfos(topic) {
		for at := p.LogStartOffset; at < p.HighWatermark; {
			records, next, err := log.Read(t.ctx, topic, p.Partition, at, 8<<20)
			if err != nil || next <= at {
				t.t.Errorf("read %s/%d@%d: %v", topic, p.Partition, at, err)
				break
			}
			all, at = append(all, records...), next
		}
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
		if time.Since(begun) > 2*time.Minute { // a message that fails each time, with no other to witness that it is the message, is held for ever
			t.mend()
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

// fault installs a fault until it has hit or all is healed.
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
	t.buries.Wait()
}

func (t *trial) close() {
	time.Sleep(10 * time.Second) // whatever still sleeps
	t.admin.Close()
	t.fake.Close()
}
