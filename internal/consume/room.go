package consume

import "time"

// roomRest is how long a partition rests for whose next batch there is no memory.
const roomRest = 100 * time.Millisecond

// noRoom lets a partition rest whose next batch there is no memory for: what is
// read takes it, and is worked on. Nothing waits for it but this partition, so it
// does not matter who has the memory, nor whether that is paused or revoked.
func (m *Member) noRoom(topic string, partition int32) {
	m.metrics.noRoom.Inc()
	p := m.partition(topic, partition)
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fenced || !p.restUntil.IsZero() {
		return
	}
	p.restUntil = time.Now().Add(roomRest)
	p.pause()
	time.AfterFunc(roomRest, m.endRests)
}
