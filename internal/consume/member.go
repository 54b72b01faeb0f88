// Package consume is a member of a consumer group, shared by both stages: it
// polls, hands records to one goroutine per partition, tracks what is settled
// and commits exactly that. Its invariants: an offset is committed only when
// everything below it is settled, only by the partition's present owner, and
// never backwards. Start reading at Member.Run, then Tracker.
package consume

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/health/brokers"
)

// Handler handles one assignment of one partition. It runs in a goroutine of
// its own, takes records by p.Next and says what is settled; it returns when
// ctx ends, which is when the partition is revoked or the member stops, after
// at most a short wait for what it has in flight. What it settles in that time
// is still committed, for RevokeGrace after a revoke and for Params.Drain
// before a stop.
type Handler interface {
	Handle(ctx context.Context, p *Partition)
}

// RevokeGrace is how long a revoke waits for work in flight. The callback
// stops the polling of every partition and holds up the whole group, so it is
// short.
const RevokeGrace = time.Second

// rebalanceTimeout is how long the group waits for a member to rejoin.
const rebalanceTimeout = 10 * time.Second

// commitInterval is how often quiet progress is committed; anything urgent is
// committed at once.
const commitInterval = 500 * time.Millisecond

// deniedAfter is how long the group or a topic must be refused before Run
// gives up.
const deniedAfter = time.Minute

// Window bounds what a member holds in memory.
type Window struct {
	Records int // per partition: queued or unsettled
	Bytes   int // over all partitions; each may always hold its share
}

// Params is what a Member needs.
type Params struct {
	Name           string // for logs and metrics: match, deliver
	Group          string
	Topics         []string
	Cluster        string // the cluster's id
	Options        []kgo.Opt
	InstanceID     string // static membership (KIP-345); empty: none
	SessionTimeout time.Duration
	Window         Window
	// OwnTopics is true for topics that only we write and whose commits always
	// carry metadata: a commit without is someone's reset and holds the
	// partition.
	OwnTopics bool
	// Bundled are the topics of which one member owns all partitions; nil: none. All
	// members of the group should agree: the plan is that of the leader.
	Bundled func(topic string) bool
	Drain   time.Duration // how long a stop waits for work in flight
	Handler Handler
	// Marked are the topics whose records are marked before they are handled, so
	// that one which kills the process is found: see Partition.Crashes. Their handler
	// takes records in order, by Next, Handled and Advance.
	Marked []string
	// PassOversized are the topics of which a batch that is too large to be unpacked
	// comes to the handler as one record (OversizedOf). In the others it holds its
	// partition.
	PassOversized []string
	// Patient are the topics whose records may stay unsettled for as long as a
	// channel is down: no progress is no condition there.
	Patient  []string
	Logger   *slog.Logger
	Registry prometheus.Registerer
	// Conditions are set and cleared here; nil: some of the member's own.
	Conditions *health.Conditions
	// View is of the brokers; nil: one of the member's own.
	View *brokers.View
}

// Member is one member of a consumer group.
type Member struct {
	p       Params
	log     *slog.Logger
	client  *kgo.Client
	admin   *kadm.Client
	view    *brokers.View
	metrics *metrics
	// conditions is what the log, the metric and /readyz hear of missing progress.
	conditions *health.Conditions

	created  chan struct{} // closed once client and admin are set: kgo calls back before NewClient returns
	pace     pace          // when to commit
	room     chan struct{} // size 1: a full partition has room again
	turn     chan struct{} // size 1: held by the partition that handles what is marked
	commitMu turn          // from taking a snapshot to the end of its commit; taken by the revoke too

	mu    sync.Mutex
	parts map[topicPartition]*Partition
	bytes atomic.Int64 // assigned partitions' share of Window.Bytes

	failures atomic.Int32 // of the group, since something was begun

	fatal        chan error           // size 1
	again        chan struct{}        // size 1: look now whether a topic was recreated
	resubscribed map[string]time.Time // when a topic that was not read was subscribed to again; watch's alone

	membership   membership
	subscription subscription
}

// turn is a mutex that is held while brokers are waited for. It is a channel,
// because a fake clock stops while someone waits for a sync.Mutex.
type turn chan struct{}

// Lock waits for its turn.
func (t turn) Lock() { t <- struct{}{} }

// Unlock ends it.
func (t turn) Unlock() { <-t }

type topicPartition struct {
	topic string
	id    int32
}

// New returns a member; Run joins the group.
func New(p Params) *Member {
	m := &Member{
		p:            p,
		log:          p.Logger.With("component", p.Name),
		metrics:      newMetrics(p.Registry, p.Name, p.Topics),
		created:      make(chan struct{}),
		pace:         newPace(p.OwnTopics),
		room:         make(chan struct{}, 1),
		turn:         make(chan struct{}, 1),
		parts:        make(map[topicPartition]*Partition),
		fatal:        make(chan error, 1),
		again:        make(chan struct{}, 1),
		resubscribed: make(map[string]time.Time),
		commitMu:     make(turn, 1),
	}
	if m.conditions = p.Conditions; m.conditions == nil {
		m.conditions = health.New(p.Logger, nil)
	}
	m.membership.turn()
	m.membership.committed()
	watchMember(p.Registry, m)
	return m
}

// join makes the client, which begins to join at once in the background.
func (m *Member) join() error {
	var opts []kgo.Opt
	if m.p.Bundled != nil {
		opts = append(opts, kgo.Balancers(newBundling(m.p.Bundled)))
	}
	opts = append(append(opts, m.p.Options...),
		kgo.ConsumerGroup(m.p.Group),
		kgo.ConsumeTopics(m.p.Topics...),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that we know how far has been read: see deliver
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(m.p.SessionTimeout),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchMaxBytes(m.fetchLimit()),
		kgo.FetchMaxPartitionBytes(m.fetchLimit()/8),
		kgo.RetryTimeoutFn(m.retryTimeout),
		kgo.OnPartitionsAssigned(m.onAssigned),
		kgo.OnPartitionsRevoked(m.onRevoked),
		kgo.OnPartitionsLost(m.onLost),
		kgo.OnOffsetsFetched(m.onOffsetsFetched),
		kgo.AdjustFetchOffsetsFn(m.adjustOffsets),
		kgo.WithHooks(&groupHook{m}),
	)
	if m.p.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(m.p.InstanceID))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("group %s: %w", m.p.Group, err)
	}
	m.client = cl
	m.admin = kadm.NewClient(cl)
	if m.view = m.p.View; m.view == nil {
		m.view = brokers.NewView(cl)
	}
	close(m.created)
	return nil
}

// retryTimeout bounds a commit, which a revoke may wait for; the rest is kgo's
// own default.
func (m *Member) retryTimeout(key int16) time.Duration {
	switch kmsg.Key(key) {
	case kmsg.OffsetCommit:
		return 3 * time.Second
	case kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat:
		return m.p.SessionTimeout
	}
	return 30 * time.Second
}

// Run joins the group and consumes until ctx ends, then drains as a living
// member, commits and leaves. It returns an error only when the process should
// end: options that cannot be used, ErrDenied, or ErrFenced.
func (m *Member) Run(ctx context.Context) error {
	if err := m.join(); err != nil {
		return err
	}
	var wg sync.WaitGroup
	background, stop := context.WithCancel(context.Background())
	wg.Go(func() { m.commitLoop(background) })
	wg.Go(func() { m.watch(background) })

	err := m.poll(ctx)
	m.drain()
	stop()
	wg.Wait()
	m.commit()
	m.client.CloseAllowingRebalance()
	m.drain() // what was assigned meanwhile, which nobody has revoked
	return err
}

// pollLimit is how many records a poll returns at most, and so what a partition
// may hold beyond its window. What is read of our own topics is decoded and kept.
func (m *Member) pollLimit() int {
	if m.p.OwnTopics {
		return m.p.Window.Records
	}
	return 20_000
}

// poll never blocks on work for longer than patience: records go to their
// partition's queue, and a partition that has too much is paused.
func (m *Member) poll(ctx context.Context) error {
	for {
		pollCtx, cancel := context.WithTimeout(ctx, 5*time.Second)
		fetches := m.client.PollRecords(pollCtx, m.pollLimit())
		cancel()
		m.membership.turn()
		if ctx.Err() != nil {
			m.client.AllowRebalance()
			return nil
		}
		fetches.EachError(m.fetchError)
		var full []*Partition
		fetches.EachTopic(func(t kgo.FetchTopic) {
			t.EachPartition(func(fp kgo.FetchPartition) {
				if len(fp.Records) > 0 {
					if p := m.deliver(t.Topic, fp); p != nil && m.full(p) {
						full = append(full, p)
					}
				}
			})
		})
		m.client.AllowRebalance()
		m.pauseFull(ctx, full)
		select {
		case err := <-m.fatal:
			return err
		default:
		}
		if err := m.denied(); err != nil {
			return err
		}
	}
}

// deliver queues records and returns their partition; nil: nothing was queued.
// The markers of transactions are no events. They are fetched all the same,
// because after the last of them, or after a transaction that was aborted, it
// would else look as if records were waiting.
func (m *Member) deliver(topic string, fetched kgo.FetchPartition) *Partition {
	last := fetched.Records[len(fetched.Records)-1]
	records := slices.DeleteFunc(fetched.Records, func(r *kgo.Record) bool { return r.Attrs.IsControl() })
	m.mu.Lock()
	p := m.parts[topicPartition{topic, fetched.Partition}]
	m.mu.Unlock()
	if p == nil {
		return nil
	}
	if n := p.skipped(fetched.LogStartOffset, last.Offset+1); n > 0 {
		m.lost(p, n)
	}
	p.read()
	p.add(records, last)
	if len(records) == 0 {
		return nil
	}
	return p
}

// drain tells every handler to stop and waits for what is in flight. The
// member stays in its group meanwhile: heartbeats continue.
func (m *Member) drain() {
	parts := m.partitions()
	for _, p := range parts {
		p.cancel(errStopping)
	}
	deadline := time.NewTimer(m.p.Drain)
	defer deadline.Stop()
	for _, p := range parts {
		if !p.running() {
			continue
		}
		select {
		case <-p.done:
		case <-deadline.C:
			m.log.Warn("stopped with work in flight; it will be done again", "topic", p.Topic, "partition", p.ID, "drain", m.p.Drain)
			return
		}
	}
}

func (m *Member) partitions() []*Partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	parts := make([]*Partition, 0, len(m.parts))
	for _, p := range m.parts {
		parts = append(parts, p)
	}
	return parts
}

// ErrDenied is returned by Run when the brokers refuse us for a minute.
var ErrDenied = errors.New("not authorised")

// ErrFenced is returned by Run when another process uses our instance id.
var ErrFenced = errors.New("fenced")
