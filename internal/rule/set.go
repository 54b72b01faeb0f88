package rule

import (
	"math"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
)

// smallList is the largest list that is searched linearly, in elements.
const smallList = 16

// in compiles v in list. A long list that is constant or invariant becomes a set.
func (c *compiler) in(n *ast.BinaryNode) truth {
	v, list := c.value(n.Left), c.value(n.Right)
	switch {
	case isConstant(n.Right):
		l := list(nil)
		if l.Kind() != event.Array || l.Len() <= smallList {
			return inSmall(v, l)
		}
		all := newSet(l)
		return func(s *scope) bool { return all.contains(&s.meter, v(s)) }
	case c.depth > 0 && !c.memoized && isInvariant(n.Right):
		slot := c.slot()
		return func(s *scope) bool {
			x := v(s)
			cached := s.cached(slot)
			if !cached.valid {
				l := list(s) // may grow the cache, which moves the slots
				cached = s.cached(slot)
				cached.value, cached.valid = l, true
				if l.Kind() == event.Array && l.Len() > smallList {
					s.spend(setElement * l.Len())
					cached.set = newSet(l)
				}
			}
			if cached.set != nil {
				return cached.set.contains(&s.meter, x)
			}
			return s.within(&x, &cached.value)
		}
	default:
		c.warnDynamicList(n.Right)
	}
	return func(s *scope) bool {
		x, l := v(s), list(s)
		return s.within(&x, &l)
	}
}

// inSmall compiles v in a constant list that is searched linearly. Lists of texts are
// the usual ones.
func inSmall(v value, list event.Value) truth {
	texts := make([]string, list.Len())
	for i := range texts {
		if e := list.At(i); list.Kind() == event.Array && e.Kind() == event.String {
			texts[i] = e.Text()
		} else {
			return func(s *scope) bool { x := v(s); return s.within(&x, &list) }
		}
	}
	return func(s *scope) bool {
		x := v(s)
		if x.Kind() != event.String {
			return s.within(&x, &list)
		}
		for _, text := range texts {
			s.spend(1)
			if s.equalTexts(x.Text(), text) {
				return true
			}
		}
		return false
	}
}

// set looks up an element of a long list with the semantics of equal.
type set struct {
	null, yes, no bool
	noResult      bool // of a calculation
	texts         map[string]bool
	numbers       map[float64]bool          // the list's numbers
	numeric       map[float64]bool          // its texts that are numbers
	ids           map[float64][]event.Value // both, where float64 cannot distinguish whole numbers
	others        []event.Value             // lists and objects, searched linearly
}

// newSet returns the set of a list's elements.
func newSet(list event.Value) *set {
	s := &set{
		texts: make(map[string]bool), numbers: make(map[float64]bool), numeric: make(map[float64]bool), ids: make(map[float64][]event.Value),
	}
	for i := range list.Len() {
		switch v := list.At(i); v.Kind() {
		case event.Missing, event.Null:
			s.null = true
		case event.Bool:
			s.yes, s.no = s.yes || v.Bool(), s.no || !v.Bool()
		case event.String:
			s.texts[v.Text()] = true
			s.add(v, s.numeric)
		case event.Number:
			s.noResult = s.noResult || isNoResult(v)
			s.add(v, s.numbers)
		default:
			s.others = append(s.others, v)
		}
	}
	return s
}

// add adds the number of v to values, or v to the ids; what is no number is skipped.
func (s *set) add(v event.Value, values map[float64]bool) {
	switch f, ok := number(v); {
	case !ok:
	case math.Abs(f) < exact:
		values[f] = true
	default:
		s.ids[f] = append(s.ids[f], v)
	}
}

// contains reports whether an element equals v.
func (s *set) contains(m *meter, v event.Value) bool {
	switch v.Kind() {
	case event.Missing, event.Null:
		return s.null || s.noResult
	case event.Bool:
		return v.Bool() && s.yes || !v.Bool() && s.no
	case event.String:
		m.spendRead(v)
		f := numberOrNaN(v)
		return s.texts[v.Text()] || s.numbers[f] || m.search(v, s.ids[f])
	case event.Number:
		if isNoResult(v) {
			return s.null
		}
		f := v.Float()
		return s.numeric[f] || s.numbers[f] || m.search(v, s.ids[f])
	}
	return m.search(v, s.others)
}

// search reports whether one of the elements equals v.
func (m *meter) search(v event.Value, elements []event.Value) bool {
	for i := range elements {
		m.spend(1)
		if m.equal(&v, &elements[i]) {
			return true
		}
	}
	return false
}
