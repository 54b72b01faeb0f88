package dlq

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/outcome"
)

// Stats counts entries by topic, state and group. The zero value is empty.
type Stats struct {
	Count  int
	Topics map[string]int // by source topic
	States map[State]int
	Oldest time.Time // first failure of the oldest that is not closed
	groups map[string]*Group
}

// Group is the entries of one fingerprint.
type Group struct {
	Fingerprint string
	Reason      outcome.Reason // "": malformed
	Cause       outcome.Cause
	Scope       outcome.Scope
	Channel     string
	Rules       []string // in alphabetical order
	Count       int
	States      map[State]int
	// First and Last are the earliest first and the latest last failure, Oldest the
	// earliest first failure of those that are not closed or waiting; zero: none.
	First, Last, Oldest time.Time
	// Example and Detail are the id and the detail of the entry that failed last.
	Example, Detail string
	// Newest: the group whose first failure is the latest, so perhaps the effect of the
	// last change.
	Newest bool
}

// Add counts an entry. It does not keep the entry in memory.
func (s *Stats) Add(e *Entry) {
	if s.groups == nil {
		s.Topics, s.States, s.groups = make(map[string]int), make(map[State]int), make(map[string]*Group)
	}
	s.Count++
	s.Topics[e.SourceTopic()]++
	s.States[e.State]++
	print := e.Fingerprint()
	g := s.groups[print]
	if g == nil {
		g = &Group{
			Fingerprint: print, Reason: e.Reason, Cause: e.Cause, Scope: e.Scope,
			Channel: e.Envelope.Channel, States: make(map[State]int),
		}
		s.groups[g.Fingerprint] = g
	}
	if rule := e.Rule(); rule != "" {
		if i, known := slices.BinarySearch(g.Rules, rule); !known {
			g.Rules = slices.Insert(g.Rules, i, strings.Clone(rule))
		}
	}
	g.Count++
	g.States[e.State]++
	first, last := e.FirstFailed, e.LastFailed
	if first.IsZero() {
		first = last // malformed: only the time of the record is known
	}
	g.First = earlier(g.First, first)
	if e.State == Open || e.State == Quarantined || e.State == Malformed {
		g.Oldest = earlier(g.Oldest, first)
	}
	if e.Closed == nil {
		s.Oldest = earlier(s.Oldest, first)
	}
	if g.Example == "" || last.After(g.Last) {
		g.Last, g.Example, g.Detail = last, e.ID, e.Detail
	}
}

// Has reports whether there is a group of a fingerprint.
func (s *Stats) Has(fingerprint string) bool {
	_, ok := s.groups[fingerprint]
	return ok
}

// earlier returns the earlier of two times; zero: none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Groups returns the groups, the largest first.
func (s *Stats) Groups() []*Group {
	list := make([]*Group, 0, len(s.groups))
	var newest *Group
	for _, g := range s.groups {
		g.Newest = false
		if newest == nil || g.First.After(newest.First) {
			newest = g
		}
		list = append(list, g)
	}
	if len(list) > 1 {
		newest.Newest = true
	}
	slices.SortFunc(list, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return list
}
