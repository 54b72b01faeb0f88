package rule

import (
	"math"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
)

// smallList is up to how many elements a list is searched one by one.
const smallList = 16

// in compiles v in list. A long list whose elements are known, or are the same
// for all elements of a predicate, becomes a set.
func (c *compiler) in(n *ast.BinaryNode, v, list value) value {
	switch {
	case fixed(n.Right):
		l := list(nil)
		if l.Kind() != event.Array || l.Len() <= smallList {
			break
		}
		all := newSet(l)
		return func(s *scope) event.Value { return event.BoolValue(all.has(&s.meter, v(s))) }
	case c.depth > 0 && !c.whole && invariant(n.Right):
		slot := c.slot()
		return func(s *scope) event.Value {
			x := v(s)
			k := s.kept(slot)
			if !k.known {
				l := list(s) // may keep others, so that k moves
				k = s.kept(slot)
				k.value, k.known = l, true
				if l.Kind() == event.Array && l.Len() > smallList {
					s.spend(setElement * l.Len())
					k.set = newSet(l)
				}
			}
			if k.set != nil {
				return event.BoolValue(k.set.has(&s.meter, x))
			}
			return event.BoolValue(s.within(x, k.value))
		}
	default:
		c.warnChosen(n.Right)
	}
	return func(s *scope) event.Value {
		x, l := v(s), list(s)
		return event.BoolValue(s.within(x, l))
	}
}

// set answers in for a long list with one lookup, exactly as a search with equal
// would: null is equal to missing, a number and a text compare as numbers, two
// texts as texts.
type set struct {
	null, yes, no bool
	texts         map[string]bool
	numbers       map[float64]bool          // the numbers in the list
	numeric       map[float64]bool          // its texts that look like numbers
	ids           map[float64][]event.Value // its numbers that float64 cannot tell apart
	others        []event.Value             // lists and objects, which are compared one by one
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
			if f := toNumber(v); !math.IsNaN(f) {
				s.numeric[f] = true
			}
		case event.Number:
			if f := v.Float(); !math.IsNaN(f) {
				s.numbers[f] = true
				if math.Abs(f) >= exact {
					s.ids[f] = append(s.ids[f], v)
				}
			}
		default:
			s.others = append(s.others, v)
		}
	}
	return s
}

// has reports whether an element equals v.
func (s *set) has(m *meter, v event.Value) bool {
	switch v.Kind() {
	case event.Missing, event.Null:
		return s.null
	case event.Bool:
		return v.Bool() && s.yes || !v.Bool() && s.no
	case event.String:
		m.reads(v)
		return s.texts[v.Text()] || s.numbers[toNumber(v)]
	case event.Number:
		f := v.Float()
		switch {
		case s.numeric[f]:
			return true
		case math.Abs(f) < exact:
			return s.numbers[f]
		}
		return m.search(v, s.ids[f])
	}
	return m.search(v, s.others)
}

// search reports whether one of the elements equals v.
func (m *meter) search(v event.Value, in []event.Value) bool {
	for i := range in {
		m.spend(1)
		if m.equal(v, in[i]) {
			return true
		}
	}
	return false
}
