package expr

import (
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
)

// Scope holds the input and the state of evaluating one event.
type Scope struct {
	Event    *event.Event
	Now      time.Time      // what age and ago count from
	Elements []event.Value  // current elements of any, filter, …; the innermost last
	cache    *cache         // see Compiler.memoize; nil: empty
	one      [1]event.Value // the argument of a function that has one
	calc.Meter

	scanned // instead of Event, for a Compiler with a Scanner
}

// scanned is what a scope has of an event that is not decoded.
type scanned struct {
	Found     []event.Found // see event.Scanner
	lists     *event.Lists  // reads those of found that are lists
	Size      int           // of the event, in bytes
	Undecided bool          // the result means nothing: a value was read that is not in found, or has too many elements
}

// NewScanned returns a scope for what a scanner finds.
func NewScanned(scanner *event.Scanner) Scope {
	return Scope{scanned: scanned{Found: make([]event.Found, scanner.Size()), lists: event.NewLists()}}
}

// Reset gives up what a scope of NewScanned holds of an event, and keeps its memory.
func (s *Scope) Reset() {
	clear(s.Found)
	clear(s.Elements[:cap(s.Elements)])
	if s.cache != nil {
		clear(s.cache.slots)
	}
	s.lists.Reset()
	*s = Scope{scanned: scanned{Found: s.Found, lists: s.lists}, Elements: s.Elements[:0], cache: s.cache}
}

// cached is the cached value of one expression.
type cached struct {
	valid bool
	value event.Value
	set   *calc.Set // value's elements, for in; nil: search linearly
}

// cache holds the memoized values of a scope.
type cache struct {
	slots   []cached
	headers event.Value // meta.headers
}

func (s *Scope) cached(slot int) *cached {
	c := s.caches()
	for len(c.slots) <= slot {
		c.slots = append(c.slots, cached{})
	}
	return &c.slots[slot]
}

// caches returns the scope's cache and creates it on first use.
func (s *Scope) caches() *cache {
	if s.cache == nil {
		s.cache = &cache{}
	}
	return s.cache
}
