package consume

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/offsets"
)

// onAssigned starts a fresh tracker and a goroutine for each partition. Their
// offsets are not known yet; onOffsetsFetched comes next, records after that.
func (m *Member) onAssigned(_ context.Context, cl *kgo.Client, assigned map[string][]int32) {
	<-m.created
	m.subscription.unchecked.Store(true)
	assigned = m.subscribed(assigned)
	// What kgo was told to forget while a rebalance was under way comes back
	// without having been revoked.
	m.drop(cl, assigned)
	cl.ResumeFetchPartitions(assigned) // a pause outlives a rebalance
	m.mu.Lock()
	for topic, ids := range assigned {
		for _, id := range ids {
			m.parts[topicPartition{topic, id}] = m.newPartition(topic, id)
		}
	}
	m.mu.Unlock()
	m.membership.join(true, "")
	m.conditions.Clear(health.Evicted, m.p.Group)
	m.metrics.assigned(assigned)
	if len(assigned) == 0 {
		m.begun() // there is nothing to begin
		return
	}
	m.log.Info("partitions assigned", "partitions", countOf(assigned))
}

// newPartition returns an assignment of which nothing is known yet.
func (m *Member) newPartition(topic string, id int32) *Partition {
	ctx, cancel := context.WithCancelCause(context.Background())
	p := &Partition{
		Topic: topic, ID: id, member: m,
		ctx: ctx, cancel: cancel,
		done:     make(chan struct{}),
		ready:    make(chan struct{}, 1),
		flow:     flow{next: -1, handedTo: -1, queuedTo: offsets.Position{Epoch: -1, Offset: -1}},
		progress: progress{dedup: &offsets.Dedup{}, above: offsets.NoGaps, committed: offsets.Position{Epoch: -1}},
		claims:   noClaims(),
	}
	p.tracker = offsets.NewTracker(offsets.Position{Epoch: -1, Offset: -1}, p.dedup)
	return p
}

// start runs the handler, once.
func (p *Partition) start() {
	p.mu.Lock()
	started := p.started
	p.started = true
	p.mu.Unlock()
	if started {
		return
	}
	go func() {
		defer close(p.done)
		defer p.giveUpStep()
		p.member.p.Handler.Handle(p.ctx, p)
	}()
}

// onRevoked stops the partitions, gives what is in flight a moment, then in
// one step fences them and commits what is settled: nothing that completes
// later can be committed by us.
func (m *Member) onRevoked(_ context.Context, cl *kgo.Client, revoked map[string][]int32) {
	parts := m.take(revoked)
	if len(parts) == 0 {
		return
	}
	for _, p := range parts {
		p.cancel(errRevoked)
	}
	grace := time.NewTimer(RevokeGrace)
	defer grace.Stop()
wait:
	for _, p := range parts {
		if !p.running() {
			continue
		}
		select {
		case <-p.done:
		case <-grace.C:
			break wait
		}
	}
	m.commitMu.Lock()
	defer m.commitMu.Unlock()
	var final []snapshot
	for _, p := range parts {
		if s, ok := p.snapshot(true); ok {
			final = append(final, s)
		}
	}
	m.send(final)
	m.forget(cl, parts, revoked)
	m.metrics.revoked(m.subscribed(revoked))
	m.log.Info("partitions revoked", "partitions", countOf(revoked))
}

// onLost fences at once and commits nothing: the group has already given the
// partitions away. It does not wait for a commit in flight.
func (m *Member) onLost(_ context.Context, cl *kgo.Client, lost map[string][]int32) {
	<-m.created
	m.membership.join(false, "left the group")
	m.drop(cl, lost)
}

// drop ends those of the assignments that there still are.
func (m *Member) drop(cl *kgo.Client, gone map[string][]int32) {
	parts := m.take(gone)
	if len(parts) == 0 {
		return
	}
	lost := make(map[string][]int32)
	for _, p := range parts {
		p.fence()
		p.cancel(errRevoked)
		lost[p.Topic] = append(lost[p.Topic], p.ID)
	}
	m.forget(cl, parts, lost)
	m.metrics.lost(lost)
	m.log.Warn("partitions lost", "partitions", len(parts))
}

// purge has the client follow a topic that was deleted and made again.
func (m *Member) purge(topic string) {
	m.client.PurgeTopicsFromConsuming(topic)
	rest := make(map[string][]int32) // in a rebalance kgo revokes nothing
	for _, p := range m.partitions() {
		if p.Topic == topic {
			rest[topic] = append(rest[topic], p.ID)
		}
	}
	m.drop(m.client, rest)
	m.client.AddConsumeTopics(topic)
}

// fence ends the assignment: nothing that completes later changes anything.
func (p *Partition) fence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fenced = true
}

func (m *Member) take(gone map[string][]int32) []*Partition {
	m.mu.Lock()
	defer m.mu.Unlock()
	var parts []*Partition
	for topic, ids := range gone {
		for _, id := range ids {
			if p := m.parts[topicPartition{topic, id}]; p != nil {
				parts = append(parts, p)
			}
		}
	}
	return parts
}

func (m *Member) forget(cl *kgo.Client, parts []*Partition, gone map[string][]int32) {
	m.mu.Lock()
	for _, p := range parts {
		delete(m.parts, topicPartition{p.Topic, p.ID})
	}
	m.mu.Unlock()
	for _, p := range parts {
		p.mu.Lock()
		m.bytes.Add(-int64(p.bytes))
		p.bytes = 0
		m.conditions.Forget(p.name())
		p.mu.Unlock()
	}
	cl.ResumeFetchPartitions(gone)
}

func (p *Partition) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started
}

func topicIDs(ctx context.Context, adm *kadm.Client, topics []string) (map[string]string, error) {
	details, err := adm.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up topic ids: %w", err)
	}
	ids := make(map[string]string, len(details))
	for name, d := range details {
		if d.Err == nil {
			ids[name] = envelope.TopicID(d.ID)
		}
	}
	return ids, nil
}

func countOf(m map[string][]int32) int {
	n := 0
	for _, ids := range m {
		n += len(ids)
	}
	return n
}
