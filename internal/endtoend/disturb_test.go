//go:build synctests

package endtoend

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/control"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/topics"
)

// disturbance is one way to disturb a trial. It may take a while; what it broke is
// fixed when it returns, or by recover.
type disturbance struct {
	name   string
	weight int
	do     func(t *trial, random *rand.Rand)
}

// disturbances are all that a schedule draws from.
var disturbances = []disturbance{
	{"produce-refused", 3, produceRefused},
	{"produce-after-append", 3, produceAfterAppend},
	{"fetch-refused", 2, fetchRefused},
	{"commit-refused", 3, commitRefused},
	{"commit-slow", 2, commitSlow},
	{"group-refused", 3, groupRefused},
	{"lookups-refused", 2, lookupsRefused},
	{"leaders-move", 2, leadersMove},
	{"coordinators-move", 2, func(t *trial, _ *rand.Rand) { t.fake.RehashCoordinators() }},
	{"join", 4, func(t *trial, random *rand.Rand) { t.startOne(random) }},
	{"leave", 3, leaveOne},
	{"crash", 3, crashNow},
	{"crash-at-request", 5, crashAtRequest},
	{"crash-at-send", 3, crashAtSend},
	{"stall", 3, stall},
	{"topic-deleted", 2, topicDeleted},
	{"rewind", 1, rewind},
	{"replay", 3, replayOpen},
	{"move", 3, moveWaiting},
}

func draw[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

func produceRefused(t *trial, random *rand.Rand) {
	t.fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: draw(random, t.ours()...), Count: 1 + random.IntN(4),
		Err: draw(random, kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.KafkaStorageError, kerr.UnknownTopicOrPartition,
			kerr.PolicyViolation, kerr.TopicAuthorizationFailed, kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID, kerr.UnknownServerError),
	})
}

func produceAfterAppend(t *trial, random *rand.Rand) {
	t.fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: draw(random, t.ours()...), Count: 1 + random.IntN(4),
		Err: draw(random, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend),
	})
}

func fetchRefused(t *trial, random *rand.Rand) {
	t.fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Count: 1 + random.IntN(8),
		Err: draw(random, kerr.NotLeaderForPartition, kerr.UnknownServerError, kerr.KafkaStorageError, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.CorruptMessage),
	})
}

func (t *trial) aGroup(random *rand.Rand) string {
	return draw(random, group, topics.OutboxGroup(group))
}

func commitRefused(t *trial, random *rand.Rand) {
	t.fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: t.aGroup(random), Count: 1 + random.IntN(6),
		Err: draw(random, kerr.RebalanceInProgress, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable,
			kerr.OffsetMetadataTooLarge, kerr.RequestTimedOut, kerr.UnknownServerError),
	})
}

// commitSlow has the brokers take their time for one commit.
func commitSlow(t *trial, random *rand.Rand) {
	g, takes := t.aGroup(random), time.Duration(500+random.IntN(6000))*time.Millisecond
	t.fake.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if req.(*kmsg.OffsetCommitRequest).Group != g {
			return nil, nil, false
		}
		t.fake.DropControl()
		if t.whole.Load() {
			return nil, nil, false
		}
		t.fake.SleepControl(func() { time.Sleep(takes) })
		return nil, nil, false
	})
}

func groupRefused(t *trial, random *rand.Rand) {
	t.fault(kfake.Fault{
		Keys:  draw(random, []kmsg.Key{kmsg.Heartbeat}, []kmsg.Key{kmsg.JoinGroup}, []kmsg.Key{kmsg.SyncGroup}, []kmsg.Key{kmsg.Heartbeat, kmsg.JoinGroup, kmsg.SyncGroup}),
		Group: t.aGroup(random), Count: 1 + random.IntN(4),
		Err: draw(random, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable),
	})
}

func lookupsRefused(t *trial, random *rand.Rand) {
	f := kfake.Fault{Count: 1 + random.IntN(4)}
	switch random.IntN(4) {
	case 0:
		f.Keys, f.Group = []kmsg.Key{kmsg.OffsetFetch}, t.aGroup(random)
		f.Err = draw(random, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnstableOffsetCommit, kerr.UnknownServerError)
	case 1:
		f.Keys, f.Err = []kmsg.Key{kmsg.ListOffsets}, draw(random, kerr.NotLeaderForPartition, kerr.UnknownServerError)
	case 2:
		f.Keys, f.Err = []kmsg.Key{kmsg.FindCoordinator}, kerr.CoordinatorNotAvailable
	default:
		// An error that kgo takes for final ends its producer: that is not drawn here,
		// see docs/design.md.
		f.Keys, f.Err = []kmsg.Key{kmsg.InitProducerID}, draw(random, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator)
	}
	t.fault(f)
}

func leadersMove(t *trial, random *rand.Rand) {
	if random.IntN(2) == 0 {
		t.fake.ShufflePartitionLeaders()
		return
	}
	topic := draw(random, append(t.sources(), t.ours()...)...)
	for _, p := range t.fake.PartitionInfos(topic) {
		_ = t.fake.MoveTopicPartition(topic, p.Partition, int32(random.IntN(brokers)))
	}
}

// startOne starts a process, with static membership in half of all cases.
func (t *trial) startOne(random *rand.Rand) {
	if len(t.alive()) >= 4 {
		return
	}
	instance := ""
	if random.IntN(2) == 0 {
		t.mu.Lock()
		instance = fmt.Sprint("host-", t.started)
		t.mu.Unlock()
	}
	t.start(instance)
}

func leaveOne(t *trial, random *rand.Rand) {
	if n := t.one(random); n != nil {
		n.leave()
		t.another(random, n)
	}
}

// another starts a process in the place of one that is gone, after a while; it
// may be the same host.
func (t *trial) another(random *rand.Rand, gone *process) {
	if len(t.alive()) > 0 && random.IntN(3) == 0 {
		return
	}
	time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
	if random.IntN(2) == 0 {
		t.start(gone.instance)
		return
	}
	t.startOne(random)
}

func crashNow(t *trial, random *rand.Rand) {
	if n := t.one(random); n != nil {
		n.crash("at once")
		t.another(random, n)
	}
}

// crashAtRequest ends a process at a certain request, before it is sent or
// when the brokers have carried it out: between the acknowledgement of an
// outbox and the commit of the source, between a send and its commit, between a
// dead letter and its commit, and wherever else the daemon talks to brokers.
func crashAtRequest(t *trial, random *rand.Rand) {
	n := t.one(random)
	if n == nil {
		return
	}
	at := draw(random,
		trap{role: "ingest", key: int16(kmsg.OffsetCommit)}, trap{role: "ingest", key: int16(kmsg.OffsetCommit), after: true},
		trap{role: "dispatch", key: int16(kmsg.OffsetCommit)}, trap{role: "dispatch", key: int16(kmsg.OffsetCommit), after: true},
		trap{role: "outbox", key: int16(kmsg.Produce)}, trap{role: "outbox", key: int16(kmsg.Produce), after: true},
		trap{role: "dead-letters", key: int16(kmsg.Produce)}, trap{role: "dead-letters", key: int16(kmsg.Produce), after: true},
		trap{role: "ingest", key: int16(kmsg.SyncGroup), after: true}, trap{role: "dispatch", key: int16(kmsg.SyncGroup), after: true},
		trap{role: "ingest", key: int16(kmsg.OffsetFetch), after: true}, trap{role: "dispatch", key: int16(kmsg.OffsetFetch), after: true},
		trap{role: "ingest", key: int16(kmsg.Fetch), after: true}, trap{role: "dispatch", key: int16(kmsg.Fetch), after: true},
		trap{role: "ingest", key: int16(kmsg.LeaveGroup)}, trap{role: "dispatch", key: int16(kmsg.JoinGroup)},
	)
	sprung := make(chan struct{})
	when := "before"
	if at.after {
		when = "after"
	}
	at.spring = func() {
		n.crash(fmt.Sprintf("%s %s's %s", when, at.role, kmsg.NameForKey(at.key)))
		close(sprung)
	}
	n.wire.set(&at)
	select {
	case <-sprung:
		t.another(random, n)
	case <-n.ended:
	case <-time.After(10 * time.Second):
		n.wire.set(nil)
	}
}

// crashAtSend ends the process whose message is taken next, before it gets the
// answer.
func crashAtSend(t *trial, random *rand.Rand) {
	p := t.providers[draw(random, t.channels()...)]
	dead := make(chan *process, 1)
	p.mu.Lock()
	p.onTaken = func(n *process) {
		n.crash("its message was taken")
		dead <- n
	}
	p.mu.Unlock()
	select {
	case n := <-dead:
		t.another(random, n)
	case <-time.After(10 * time.Second):
		p.mu.Lock()
		p.onTaken = nil
		p.mu.Unlock()
	}
}

// stall lets nothing of a process through for a while, in half of all cases
// for longer than its session. Then what it had written arrives.
func stall(t *trial, random *rand.Rand) {
	n := t.one(random)
	if n == nil {
		return
	}
	t.history.note(stalled, n.name, "")
	n.wire.stall()
	time.Sleep(time.Duration(100+random.IntN(2*int(session.Milliseconds()))) * time.Millisecond)
	t.history.note(resumed, n.name, "")
	n.wire.release()
}

// topicDeleted deletes one of our topics and creates it again after a while. The
// pending alerts of an outbox are lost; the oracle allows that.
func topicDeleted(t *trial, random *rand.Rand) {
	topic := draw(random, append(t.deadTopics(), t.outboxTopics()...)...)
	n := int32(len(t.fake.PartitionInfos(topic)))
	if n == 0 {
		return // another one has deleted it
	}
	closed := t.fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotLeaderForPartition, Count: -1})
	logs := make(map[oracle.Place][]*kgo.Record)
	for _, p := range t.fake.PartitionInfos(topic) {
		at := oracle.Place{Topic: topic, Partition: p.Partition, Instance: t.present[topic]}
		logs[at] = t.read(topic, p)
	}
	t.history.note(deleted, "", "%s", topic)
	t.mu.Lock()
	maps.Copy(t.gone, logs)
	t.present[topic]++
	t.mu.Unlock()
	if err := t.fake.DeleteTopic(topic); err != nil {
		t.t.Error(err)
	}
	closed.Remove()
	time.Sleep(time.Duration(200+random.IntN(5000)) * time.Millisecond)
	if err := t.fake.CreateTopic(topic, n, topicConfigs(topic)); err != nil {
		t.t.Error(err)
		return
	}
	t.identify(topic)
	t.history.note(fault, "", "%s is created again", topic)
}

// rewind stops everything, sets the group back, and starts again: that must cause
// no duplicates.
func rewind(t *trial, random *rand.Rand) {
	for _, n := range t.alive() {
		n.leave()
	}
	info := t.fake.GroupInfo(group)
	if info == nil || len(info.Members) > 0 { // one that is static, or that has not timed out
		t.startOne(random)
		return
	}
	back := make(kadm.Offsets)
	for _, topic := range t.sources() {
		for p, c := range info.Commits[topic] {
			at := max(0, c.Offset-int64(random.IntN(40)))
			id := t.fake.TopicInfo(topic).TopicID
			back.Add(kadm.Offset{Topic: topic, Partition: p, At: at, LeaderEpoch: -1, Metadata: offsets.Binding(t.cluster, envelope.TopicID(id))})
		}
	}
	t.history.note(rewound, "", "")
	if _, err := t.adm.CommitOffsets(t.ctx, group, back); err != nil {
		t.history.note(fault, "", "the rewind was refused: %v", err)
	}
	t.startOne(random)
}

// moveWaiting requests to move the pending alerts of one channel to the other, as
// the command does.
func moveWaiting(t *trial, random *rand.Rand) {
	q := control.Request{From: "rough", To: "calm", Below: make(map[int32]int64), By: "ann"}
	if random.IntN(3) == 0 {
		q.From, q.To = q.To, q.From
	}
	topic := topics.Outbox(group, q.From)
	for _, p := range t.fake.PartitionInfos(topic) {
		q.Below[p.Partition] = p.HighWatermark
	}
	if len(q.Below) == 0 {
		return // it is deleted
	}
	q.TopicID = t.idOf(topic)
	t.history.note(fault, "", "move the pending alerts of %s to %s: %v", q.From, q.To, q.Below)
	if err := t.admin.ProduceSync(t.ctx, q.Record(group)).FirstErr(); err != nil {
		t.history.note(fault, "", "the request was not written: %v", err)
	}
}

// replayOpen requests a replay of every dead letter, as the command does.
func replayOpen(t *trial, _ *rand.Rand) { t.replay(false) }

func (t *trial) replay(force bool) {
	r := dlq.NewReader(t.admin, group)
	spans, err := r.Ends(t.ctx, nil)
	if err != nil {
		t.history.note(fault, "", "no replay: %v", err)
		return
	}
	plan := replay.NewPlan(replay.Options{By: "ann", Run: replay.NewRun(time.Now()), Force: force, Ambiguous: true})
	err = replay.Each(t.ctx, r, spans, dlq.Query{}, func(e *dlq.Entry) bool {
		plan.Add(e)
		return true
	})
	if err != nil {
		t.history.note(fault, "", "no replay: %v", err)
		return
	}
	plan.Close()
	t.history.note(replays, "", "%d", plan.Len())
	run := &replay.Runner{Reader: r, Client: t.admin, Plan: plan, Spans: spans}
	if _, err := run.Run(t.ctx); err != nil {
		t.history.note(fault, "", "replay: %v", err)
	}
}
