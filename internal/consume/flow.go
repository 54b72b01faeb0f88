package consume

import (
	"context"
	"math"
	"slices"
	"time"
)

// patience is how long the poll loop waits for the handlers of full partitions
// before it pauses those that are still full. A pause is expensive: kgo drops what it
// has fetched of the partition, and a resumed one is fetched only after the
// running long poll.
const patience = 20 * time.Millisecond

// fetchLimit is how many bytes a fetch brings at most, as compressed by the producer.
// Unpacked, with what the client keeps of each record, it is some ten times as much,
// and the client holds two. What it holds of an outbox's partition when that is paused
// is fetched again.
func (m *Member) fetchLimit() int32 {
	if m.p.OwnTopics {
		return 256 << 10
	}
	return 2 << 20
}

// full reports whether a partition's share of the window is used up.
func (m *Member) full(p *Partition) bool {
	share := m.share()
	p.mu.Lock()
	defer p.mu.Unlock()
	return m.isFull(p, share)
}

// isFull is full with p.mu held.
func (m *Member) isFull(p *Partition, share int) bool {
	return p.records() >= m.p.Window.Records || p.bytes >= share && int(m.bytes.Load()) >= m.p.Window.Bytes
}

// pauseFull waits until the partitions have room again, up to patience, and
// pauses those that have none then.
func (m *Member) pauseFull(ctx context.Context, full []*Partition) {
	if len(full) == 0 {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for waiting := true; waiting; {
		full = slices.DeleteFunc(full, func(p *Partition) bool { return !m.full(p) })
		if len(full) == 0 {
			return
		}
		select {
		case <-m.room:
		case <-timer.C:
			waiting = false
		case <-ctx.Done():
			waiting = false
		}
	}
	for _, p := range full {
		m.pauseIfFull(p)
	}
}

// pauseIfFull pauses a partition that is still full.
func (m *Member) pauseIfFull(p *Partition) {
	share := m.share()
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.isFull(p, share) {
		p.pause()
	}
}

// roomMade tells the poll loop, and resumes a paused partition once half of its
// window is free.
func (m *Member) roomMade(p *Partition) {
	share := m.share()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused && !p.fenced && !p.frozen && p.restUntil.IsZero() && p.records() <= m.p.Window.Records/2 && p.bytes <= share/2+1 {
		p.paused = false
		m.client.ResumeFetchPartitions(map[string][]int32{p.Topic: {p.ID}})
	}
	if !p.paused {
		signal(m.room)
	}
}

// pause has nothing fetched of the partition. The client is told under p.mu, as
// in roomMade: a pause that came behind its resume would last. p.mu is held.
func (p *Partition) pause() {
	if !p.paused && !p.fenced {
		p.paused = true
		p.member.client.PauseFetchPartitions(map[string][]int32{p.Topic: {p.ID}})
	}
}

// share is the part of the byte window that each partition may always hold.
func (m *Member) share() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.p.Window.Bytes / max(1, len(m.parts))
}

// signal sends on a channel of size 1.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Reached reports whether all that was in the log when this assignment began has been
// begun. Of a partition that cannot be read now it says so too.
func (p *Partition) Reached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fenced || p.frozen || p.unread != "" || p.endedAt == math.MaxInt64 {
		return true
	}
	if len(p.queue)+p.taken > 0 {
		return p.tracker.Next().Offset >= p.endedAt
	}
	if l := &p.look; !l.at.IsZero() && l.next >= l.stable {
		return true // brokers have lost the rest, or retention has deleted it
	}
	return max(p.tracker.Next().Offset, p.queuedTo.Offset) >= p.endedAt
}
