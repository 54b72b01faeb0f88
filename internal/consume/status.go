package consume

import (
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
	// turned; a process whose loops do not turn is not alive.
	PolledAt, CommittedAt time.Time
	Partitions            int
	Blocked               []Blocked
}

// Blocked is a partition that makes no progress.
type Blocked struct {
	Topic     string
	Partition int32
	Reason    string
}

type membership struct {
	mu             sync.Mutex
	joined         bool
	cause          string
	polled, commit time.Time
}

func (h *membership) join(joined bool, cause string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.joined, h.cause = joined, cause
}

func (h *membership) turn() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.polled = time.Now()
}

func (h *membership) committed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commit = time.Now()
}

// Status returns the member's present state.
func (m *Member) Status() Status {
	m.membership.mu.Lock()
	s := Status{Joined: m.membership.joined, Cause: m.membership.cause, PolledAt: m.membership.polled, CommittedAt: m.membership.commit}
	m.membership.mu.Unlock()
	if !s.Joined && s.Cause == "" {
		s.Cause = "has not joined yet"
	}
	for _, p := range m.partitions() {
		s.Partitions++
		p.mu.Lock()
		if p.blocked != "" {
			s.Blocked = append(s.Blocked, Blocked{p.Topic, p.ID, p.blocked})
		}
		p.mu.Unlock()
	}
	slices.SortFunc(s.Blocked, func(a, b Blocked) int {
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
	offsetReset = "its offset was set by hand: 'notifier run --start committed' continues there"
	offsetGone  = "its offset was deleted or has expired, and reading from the beginning would send everything in it again: 'notifier run --start earliest|latest|TIME' says where to continue"
)
