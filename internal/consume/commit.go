package consume

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/offsets"
)

// snapshot is what one partition has to commit.
type snapshot struct {
	p        *Partition
	at       offsets.Position
	metadata string
	finished int
	doubt    time.Time // which this commit ends if it succeeds
	mark     offsets.CrashMark
	bareMark offsets.CrashMark // without the list of what was tried
	tries    int
}

// A commit that is not answered within slowAfter may have been given up and sent
// again by kgo over another connection, and what was given up may still be
// carried out, for about doubtFor: behind a later one, so that the group is set
// back. A member in doubt commits once more after that.
const (
	slowAfter = time.Second
	doubtFor  = 10 * time.Second
)

// bare is the metadata that is sent where a broker has refused the whole: what
// binds the offset to its log, and the crash mark.
func (s snapshot) bare() string {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	return offsets.Metadata{Cluster: p.member.p.Cluster, TopicID: p.topicID, Gaps: offsets.NoGaps, Begin: p.span, Again: p.again, Crash: s.bareMark}.Encode(s.at.Offset)
}

// snapshot takes what there is to commit; fence makes it the last one.
func (p *Partition) snapshot(fence bool) (snapshot, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fenced {
		return snapshot{}, false
	}
	p.fenced = fence
	p.passUnread()
	at := p.tracker.Watermark()
	again := !p.doubt.IsZero() && (fence || time.Since(p.doubt) > doubtFor)
	begun, said := offsets.Unmarked, offsets.Unmarked
	if k := p.marking; k != nil {
		if said = k.sent; !fence {
			begun = k.now
		}
	}
	var tried map[int64]offsets.Tried
	var gaps offsets.Gaps
	alone := begun
	if p.member.p.OwnTopics {
		said, gaps = p.recorded, p.open(at.Offset)
		tried, begun, alone = p.attempts(at.Offset, gaps.Newest(), fence)
	}
	p.dirty = p.dirty || begun != said
	if at.Offset < 0 || !again && (!p.dirty || begun == said && p.stands(at)) {
		return snapshot{}, false
	}
	p.dirty = false
	metadata := offsets.Metadata{Cluster: p.member.p.Cluster, TopicID: p.topicID, Gaps: offsets.NoGaps, Crash: begun, Begin: p.span, Again: p.again}
	if p.member.p.OwnTopics {
		metadata.Dedup, metadata.Gaps, metadata.Tried = p.tracker.Dedup(), gaps, tried
		p.claiming(begun)
	}
	s := snapshot{p: p, at: at, metadata: metadata.Encode(at.Offset), finished: p.tracker.Finished(), mark: begun, bareMark: alone, tries: p.tries}
	if again {
		s.doubt = p.doubt
	}
	return s, true
}

// open returns what is settled above the watermark: by us, and further on,
// where we have read nothing yet, by a former owner. p.mu is held.
func (p *Partition) open(watermark int64) offsets.Gaps {
	return p.tracker.Open().Extend(p.above, watermark, p.tracker.Next().Offset)
}

// stands reports whether everything is as the last commit left it: the watermark,
// what is finished above it, what was tried, and, since a later commit whose answer is
// an error may have been recorded all the same, what is claimed for sure. p.mu is held.
func (p *Partition) stands(at offsets.Position) bool {
	return p.known && p.sure == p.recorded && at.Offset == p.committed.Offset && p.tracker.Finished() == p.sentFinished && p.tries == p.said
}

// commitLoop is the only place, besides a revoke, that commits.
func (m *Member) commitLoop(ctx context.Context) {
	m.pace.run(ctx, func() {
		m.commit()
		m.membership.committed()
	})
}

// commit sends a snapshot of every partition that has moved. Snapshot and call
// stand under one mutex that the revoke takes too: a snapshot taken before a
// revoke cannot be sent after it.
func (m *Member) commit() {
	m.commitMu.Lock()
	defer m.commitMu.Unlock()
	var all []snapshot
	for _, p := range m.partitions() {
		if s, ok := p.snapshot(false); ok {
			all = append(all, s)
		}
	}
	m.send(all)
}

// send commits the snapshots; those refused for their metadata go again with
// the binding alone. The caller holds commitMu.
func (m *Member) send(all []snapshot) {
	refused := m.sendOnce(all)
	if len(refused) > 0 {
		for i := range refused {
			refused[i].metadata = refused[i].bare()
		}
		for _, s := range m.sendOnce(refused) { // even that is too long for these brokers
			m.committed(s, kerr.OffsetMetadataTooLarge, false)
		}
	}
}

// sendOnce makes one commit call and takes over its results. No context is
// cancelled under it: that would kill the connection, and the broker could
// still process the commit after a later one.
func (m *Member) sendOnce(all []snapshot) (refused []snapshot) {
	if len(all) == 0 {
		return nil
	}
	positions := make(map[string]map[int32]kgo.EpochOffset)
	metadata := make(map[topicPartition]string, len(all))
	for _, s := range all {
		if positions[s.p.Topic] == nil {
			positions[s.p.Topic] = make(map[int32]kgo.EpochOffset)
		}
		positions[s.p.Topic][s.p.ID] = kgo.EpochOffset{Epoch: s.at.Epoch, Offset: s.at.Offset}
		metadata[topicPartition{s.p.Topic, s.p.ID}] = s.metadata
	}
	ctx := kgo.PreCommitFnContext(context.Background(), func(req *kmsg.OffsetCommitRequest) error {
		// The client waits for a rebalance and then commits as a member of the next
		// generation, for which another member may own a partition that was lost.
		if !m.owns(all) {
			return errNotOwned
		}
		for i := range req.Topics {
			t := &req.Topics[i]
			for j := range t.Partitions {
				text := metadata[topicPartition{t.Topic, t.Partitions[j].Partition}]
				t.Partitions[j].Metadata = &text
			}
		}
		return nil
	})
	results := make(map[topicPartition]error, len(all))
	var callErr error
	begun := time.Now()
	m.client.CommitOffsetsSync(ctx, positions, func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		callErr = err
		if err != nil || resp == nil {
			return
		}
		names := make(map[[16]byte]string, len(req.Topics))
		for _, t := range req.Topics {
			names[t.TopicID] = t.Topic
		}
		for _, t := range resp.Topics {
			topic := t.Topic
			if topic == "" {
				topic = names[t.TopicID]
			}
			for _, p := range t.Partitions {
				results[topicPartition{topic, p.Partition}] = kerr.ErrorForCode(p.ErrorCode)
			}
		}
	})
	for _, s := range all {
		err, answered := results[topicPartition{s.p.Topic, s.p.ID}]
		if !answered && callErr == nil {
			err = errNoAnswer
		} else if callErr != nil {
			err = callErr
		}
		if errors.Is(err, kerr.OffsetMetadataTooLarge) {
			refused = append(refused, s)
			continue
		}
		m.committed(s, err, time.Since(begun) > slowAfter)
	}
	return refused
}

var errNotOwned = errors.New("a partition was lost before its commit was sent")

// owns reports whether all partitions are still assigned to the member.
func (m *Member) owns(all []snapshot) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range all {
		if m.parts[topicPartition{s.p.Topic, s.p.ID}] != s.p {
			return false
		}
	}
	return true
}

var errNoAnswer = errors.New("the broker did not answer for this partition")

// committed takes over the result for one partition; slow: it took long to come.
func (m *Member) committed(s snapshot, err error, slow bool) {
	p := s.p
	p.mu.Lock()
	p.claimed(s.mark, s.tries, err)
	if err == nil {
		p.committed, p.known = s.at, true
		p.sentFinished = s.finished
		if p.marking != nil {
			p.marking.sent = s.mark
			select {
			case p.marking.said <- struct{}{}:
			default:
			}
		}
	} else {
		p.dirty = true
	}
	switch {
	case slow:
		p.doubt = time.Now()
	case err == nil && s.doubt.Equal(p.doubt):
		p.doubt = time.Time{}
	}
	f := p.onCommit
	p.mu.Unlock()
	if f != nil {
		defer f()
	}
	if err != nil {
		m.metrics.commitFailures.Inc()
		m.commitRefused(err)
		m.log.Warn("commit failed, retrying", "topic", p.Topic, "partition", p.ID, "offset", s.at.Offset, "reason", reasonOf(err), "err", err)
	}
}
