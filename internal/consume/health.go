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

// offsetReset is why a partition with a commit that is not ours is held.
const offsetReset = "offset was set by hand: run 'notifier run --start earliest|latest|TIME' to accept it"

func (m *Member) heldChanged(p *Partition, old, now string) {
	m.metrics.heldChanged(p.Topic, p.ID, old, now)
	if now != "" {
		m.log.Error("partition held", "topic", p.Topic, "partition", p.ID, "reason", now)
		return
	}
	m.log.Info("partition moves again", "topic", p.Topic, "partition", p.ID)
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
		for _, p := range m.partitions() {
			id, old := ids[p.Topic], p.TopicID()
			recreated := old != "" && old != id && following[p.Topic] != id
			// kgo may have looked the topic up before it was made again, and we after.
			if id == "" || !recreated && !p.unknown.Swap(false) {
				continue
			}
			following[p.Topic] = id
			m.log.Warn("topic was recreated, following the new one", "topic", p.Topic)
			m.client.PurgeTopicsFromConsuming(p.Topic)
			m.client.AddConsumeTopics(p.Topic)
		}
	}
}
