package lag

import (
	"errors"
	"time"
)

// Snapshot is what one look at the brokers found.
type Snapshot struct {
	At     time.Time
	Groups []Group // ours first, then by name
	// LeftOut is how many groups were not looked at, for there are too many.
	LeftOut int
}

// Group is a consumer group and what it has read of its topics.
type Group struct {
	Name string
	// State is the coordinator's word: Stable, Empty (it has offsets and no
	// members), PreparingRebalance …; Dead where there is no such group, and
	// empty where it has offsets and the coordinator says nothing else.
	State   string
	Members int
	Topics  []GroupTopic // by name
	Err     error        // why nothing is known of it
}

// Dead is the state of a group that does not exist.
const Dead = "Dead"

// GroupTopic is one topic as a group has read it: one that it committed for,
// that it has members for, or that it is known to read.
type GroupTopic struct {
	Name       string
	Partitions []Partition // by number
	Err        error       // why nothing is known of it: ErrNoTopic, not authorised
}

// ErrNoTopic says that a group has offsets of a topic that is not there.
var ErrNoTopic = errors.New("the topic is gone")

// Partition is what waits for a group in one partition.
type Partition struct {
	ID int32
	// ClientID and Host are of the member that has it; empty: nobody has.
	ClientID, Host string
	// Committed is the group's offset; below zero: it has none there, and all of
	// the log counts as waiting, which is the most there can be.
	Committed int64
	Part
	// HighWatermark is where the log ends, End how far it may be read: what is
	// between belongs to transactions that are open, or came behind them.
	HighWatermark int64
	// Lost is how many records were deleted before they were read.
	Lost int64
	// Oldest is when the oldest waiting record was written; zero where none
	// waits, or it is not known.
	Oldest time.Time
	// KeptUntil is when the brokers may delete it; zero: never, or not known.
	KeptUntil time.Time
	// Err says why nothing is known of the partition, Unread why the age of the
	// oldest is not.
	Err, Unread error
	found       bool // there is a record that waits
}

// Unowned reports whether nobody has the partition.
func (p *Partition) Unowned() bool { return p.ClientID == "" && p.Host == "" }

// Total is what all partitions of a topic come to.
type Total struct {
	Waiting, Lost int64
	// Oldest and KeptUntil are the earliest of all.
	Oldest, KeptUntil time.Time
	Unowned           int // partitions that nobody has
	// Unknown says why something is not known: Waiting and Oldest are then the
	// least there can be.
	Unknown error
	// Aged: the age is known of something that waits, or nothing waits.
	Aged bool
}

// Total adds up the partitions.
func (t *GroupTopic) Total() Total {
	s := Total{Unknown: t.Err}
	aged := 0
	for i := range t.Partitions {
		p := &t.Partitions[i]
		s.Waiting += p.Waiting
		s.Lost += p.Lost
		if p.Unowned() {
			s.Unowned++
		}
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

// earlier returns the earlier of two times; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Topic returns one of a group's topics; nil: it has nothing to do with it.
func (g *Group) Topic(name string) *GroupTopic {
	for i := range g.Topics {
		if g.Topics[i].Name == name {
			return &g.Topics[i]
		}
	}
	return nil
}

// Group returns a group; nil: it was not looked at.
func (s *Snapshot) Group(name string) *Group {
	for i := range s.Groups {
		if s.Groups[i].Name == name {
			return &s.Groups[i]
		}
	}
	return nil
}
