package consume

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Status is what a member says about itself.
type Status struct {
	Joined bool
	Cause  string // why not joined
	// PolledAt and CommittedAt are when the poll loop and the commit loop last
	// turned; a process whose loops stand still is not alive.
	PolledAt, CommittedAt time.Time
	Partitions            int
	Held                  []Held
}

// Held is a partition that does not move.
type Held struct {
	Topic     string
	Partition int32
	Reason    string
}

type health struct {
	mu             sync.Mutex
	joined         bool
	cause          string
	polled, commit time.Time
}

func (h *health) join(joined bool, cause string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.joined, h.cause = joined, cause
}

func (h *health) turn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.polled = time.Now()
}

func (h *health) committed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commit = time.Now()
}

// Status returns the member's present state.
func (m *Member) Status() Status {
	m.health.mu.Lock()
	s := Status{Joined: m.health.joined, Cause: m.health.cause, PolledAt: m.health.polled, CommittedAt: m.health.commit}
	m.health.mu.Unlock()
	if !s.Joined && s.Cause == "" {
		s.Cause = "has not joined yet"
	}
	for _, p := range m.partitions() {
		s.Partitions++
		p.mu.Lock()
		if p.held != "" {
			s.Held = append(s.Held, Held{p.Topic, p.ID, p.held})
		}
		p.mu.Unlock()
	}
	slices.SortFunc(s.Held, func(a, b Held) int {
		if d := strings.Compare(a.Topic, b.Topic); d != 0 {
			return d
		}
		return int(a.Partition - b.Partition)
	})
	return s
}

// Why a partition of our own topics is held for a person's decision: its commit
// is not ours, or there is none although what stands in it has been read.
const (
	offsetReset = "its offset was set by hand: 'notifier run --start committed' goes on there"
	offsetGone  = "its offset was deleted or has expired, and reading from the beginning would send everything in it again: 'notifier run --start earliest|latest|TIME' says where to go on"
)

func (m *Member) heldChanged(p *Partition, old, now string) {
	m.metrics.heldChanged(p.Topic, p.ID, old, now)
	if now != "" {
		m.log.Error("partition held", "topic", p.Topic, "partition", p.ID, "reason", now)
		return
	}
	m.log.Info("partition moves again", "topic", p.Topic, "partition", p.ID)
}

// sayRecreated says that a topic was deleted and made again while we read it.
// Of our own topics, what was taken from the old one and is not settled is lost
// with it; there may be more that was never read.
func (m *Member) sayRecreated(topic string) {
	waiting := 0
	for _, p := range m.partitions() {
		if p.Topic == topic {
			n, _ := p.load()
			waiting += n
		}
	}
	if !m.p.OwnTopics {
		m.log.Warn("topic was recreated, following the new one", "topic", topic)
		return
	}
	m.metrics.lostRecords.WithLabelValues(topic).Add(float64(waiting))
	m.log.Error("topic was recreated: what waited in the old one is lost; 'notifier run --start TIME' raises its alerts again",
		"topic", topic, "waited", waiting)
}

// watchInterval is how often topic ids are compared.
const watchInterval = 3 * time.Second

// watchTopics notices topics that were deleted and made again, which kgo
// refuses to follow on its own: it would wait for the old one for ever.
func (m *Member) watchTopics(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	following := make(map[string]string) // the instance each topic was last followed to
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		askCtx, cancel := context.WithTimeout(ctx, watchInterval)
		ids, err := topicIDs(askCtx, m.admin, m.p.Topics)
		cancel()
		if err != nil {
			continue
		}
		anew := make(map[string]bool)
		for _, p := range m.partitions() {
			id, old := ids[p.Topic], p.TopicID()
			recreated := old != "" && old != id && following[p.Topic] != id
			// kgo may have looked the topic up before it was made again, and we after.
			if unknown := p.unknown.Swap(false); id != "" && (recreated || unknown) {
				anew[p.Topic] = true
			}
		}
		for topic := range anew {
			following[topic] = ids[topic]
			m.sayRecreated(topic)
			m.purge(topic)
		}
	}
}
