package digest

import "time"

// maxGroups is how many groups of a channel are remembered, at some 200 bytes each.
// Producers choose them. One that is forgotten has its next alert told at once.
const maxGroups = 100_000

// sweepAfter is after how many new groups at least the idle ones are forgotten.
const sweepAfter = 1000

// Groups are the groups of a channel that are not idle. The zero Groups has none.
type Groups struct {
	byKey   map[Key]*Group
	sweepIn int
}

// Open returns the group with this key, made idle if its window is over.
func (s *Groups) Open(key Key, now time.Time) *Group {
	if g := s.byKey[key]; g != nil {
		if g.Idle(now) {
			g.Reset()
		}
		return g
	}
	return &Group{}
}

// Keep remembers a group in which a window was opened.
func (s *Groups) Keep(key Key, g *Group, now time.Time) {
	if s.byKey == nil {
		s.byKey = make(map[Key]*Group)
	}
	if s.byKey[key] == nil {
		s.makeRoom(now)
	}
	s.byKey[key] = g
}

// makeRoom forgets idle groups from time to time, and any where there are too many.
func (s *Groups) makeRoom(now time.Time) {
	if s.sweepIn--; s.sweepIn < 0 {
		for key, g := range s.byKey {
			if g.Idle(now) {
				delete(s.byKey, key)
			}
		}
		s.sweepIn = max(sweepAfter, len(s.byKey))
	}
	for key := range s.byKey {
		if len(s.byKey) < maxGroups {
			return
		}
		delete(s.byKey, key)
	}
}

// Forget forgets all groups.
func (s *Groups) Forget() { *s = Groups{} }

// Len returns how many groups are remembered.
func (s *Groups) Len() int { return len(s.byKey) }
