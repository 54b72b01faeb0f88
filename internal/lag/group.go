package lag

import (
	"errors"
	"time"
)

// Snapshot is the lag of groups at one time.
type Snapshot struct {
	At      time.Time
	Groups  []Group // ours first, then by name
	LeftOut int     // groups beyond Want.AtMost
}

// Group is a consumer group and what it has read of its topics.
type Group struct {
	Name string
	// State is the coordinator's: Stable, Empty (offsets and no members),
	// PreparingRebalance …; Dead: no such group; empty: it has offsets, and the
	// coordinator does not report a state.
	State   string
	Members int
	Topics  []GroupTopic // by name
	Err     error        // why the rest is unknown
}

// Dead is the state of a group that does not exist.
const Dead = "Dead"

// GroupTopic is one topic of a group: committed, assigned, or known to be read.
type GroupTopic struct {
	Name       string
	Partitions []Partition // by number
	Err        error       // why the lag is unknown: ErrNoTopic, not authorised
}

// ErrNoTopic means that a group has offsets of a deleted topic.
var ErrNoTopic = errors.New("the topic was deleted")

// Partition is the lag of a group in one partition.
type Partition struct {
	ID             int32
	ClientID, Host string // of the owner; empty: none
	// Committed is the group's offset; negative: none, and the whole log counts as lag,
	// the upper bound.
	Committed int64
	Part
	// HighWatermark is the log's end; End, the last stable offset, is lower during open
	// transactions.
	HighWatermark int64
	Lost          int64     // records deleted before they were read
	Oldest        time.Time // when the oldest waiting record was written; zero: none, or unknown
	KeptUntil     time.Time // when retention may delete it; zero: never, or unknown
	Err           error     // why the lag is unknown
	Unread        error     // why Oldest is unknown
}

// Unowned reports whether the partition is not assigned.
func (p *Partition) Unowned() bool { return p.ClientID == "" && p.Host == "" }

// Total is the sum of a topic's partitions.
type Total struct {
	Waiting, Lost     int64
	Oldest, KeptUntil time.Time // the earliest
	// Unknown is why a partition's lag is unknown: Waiting and Oldest are then lower
	// bounds.
	Unknown error
	Aged    bool // Oldest is known, or nothing waits
}

// Total adds up the partitions.
func (t *GroupTopic) Total() Total {
	s := Total{Unknown: t.Err}
	aged := 0
	for i := range t.Partitions {
		p := &t.Partitions[i]
		s.Waiting += p.Waiting
		s.Lost += p.Lost
		s.Oldest, s.KeptUntil = earlier(s.Oldest, p.Oldest), earlier(s.KeptUntil, p.KeptUntil)
		if !p.Oldest.IsZero() {
			aged++
		}
		if err := errors.Join(p.Err, p.Unread); err != nil && s.Unknown == nil {
			s.Unknown = err
		}
	}
	s.Aged = t.Err == nil && (aged > 0 || s.Waiting == 0 && s.Unknown == nil)
	return s
}

// earlier returns the earlier time; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Topic returns a topic of the group; nil: none.
func (g *Group) Topic(name string) *GroupTopic {
	for i := range g.Topics {
		if g.Topics[i].Name == name {
			return &g.Topics[i]
		}
	}
	return nil
}

// Group returns a group; nil: not in the snapshot.
func (s *Snapshot) Group(name string) *Group {
	for i := range s.Groups {
		if s.Groups[i].Name == name {
			return &s.Groups[i]
		}
	}
	return nil
}
