package consume

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/offsets"
)

// Steps is a Member without brokers, for simulations: its owner plays
// the group, the poll loop and the commit loop, one step at a time. Partitions,
// what they commit and what they restore are the Member's own.
type Steps struct{ member *Member }

// NewSteps returns a member that never joins. Of its Params no brokers are
// used.
func NewSteps(p Params) *Steps { return &Steps{New(p)} }

// Committed is what the group's coordinator keeps for a partition.
type Committed struct {
	At       offsets.Position
	Metadata string
}

// Finished reports whether the commit says that the record at an offset is
// finished.
func (c Committed) Finished(offset int64) bool {
	m, err := offsets.DecodeMetadata(c.Metadata, c.At.Offset)
	return offset < c.At.Offset || err == nil && m.Gaps.Settled(offset, c.At.Offset)
}

// Assign begins an assignment as kgo's callbacks do: of a topic with this id,
// whose log ends at end. last is what the group has committed; nil: nothing. It
// also returns the offset to read from; -1: from the beginning.
func (s *Steps) Assign(topic string, id int32, topicID string, end int64, last *Committed) (*Partition, int64) {
	m := s.member
	p := m.newPartition(topic, id)
	m.mu.Lock()
	m.parts[topicPartition{topic, id}] = p
	m.mu.Unlock()
	c := commitOf{offset: -1}
	if last != nil {
		c = commitOf{offset: last.At.Offset, epoch: last.At.Epoch, metadata: last.Metadata}
	}
	p.restore(c, topicID, extent{end: end})
	if last == nil || p.fromStart {
		return p, -1
	}
	return p, last.At.Offset
}

// Deliver hands over records that were polled; it returns them as Next does.
func (s *Steps) Deliver(p *Partition, records []*kgo.Record) []*kgo.Record {
	p.add(records, records[len(records)-1])
	all, _ := p.Next(context.Background())
	return all
}

// Snapshot takes what there is to commit; fence makes it the last one, as a
// revoke does. false: nothing.
func (s *Steps) Snapshot(p *Partition, fence bool) (Snapshot, bool) {
	taken, ok := p.snapshot(fence)
	return Snapshot{Committed{taken.at, taken.metadata}, taken}, ok
}

// Commit commits what there is to commit.
func (s *Steps) Commit(p *Partition) {
	if c, ok := s.Snapshot(p, false); ok {
		s.Answered(c, nil, false)
	}
}

// Snapshot is a commit on its way.
type Snapshot struct {
	Committed
	taken snapshot
}

// WithoutDedup is the commit that follows one which was refused for its
// metadata.
func (s Snapshot) WithoutDedup() Snapshot {
	s.Metadata = s.taken.bare()
	return s
}

// Full is the metadata that was to be committed.
func (s Snapshot) Full() string { return s.taken.metadata }

// Answered takes over what the coordinator answered; slow: that took so long
// that the commit may still be carried out.
func (s *Steps) Answered(c Snapshot, err error, slow bool) { s.member.committed(c.taken, err, slow) }

// Lose fences at once, and commits nothing.
func (s *Steps) Lose(p *Partition) { p.fence() }
