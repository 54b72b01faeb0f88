package calc

import (
	"math"

	"github.com/algotrade/notifier/internal/event"
)

// Set looks up an element of a long list with the semantics of equal.
type Set struct {
	null, yes, no bool
	noResult      bool // of a calculation
	texts         map[string]bool
	numbers       map[float64]bool          // the list's numbers
	numeric       map[float64]bool          // its texts that are numbers
	ids           map[float64][]event.Value // both, where float64 cannot distinguish whole numbers
	others        []event.Value             // lists and objects, searched linearly
}

// NewSet returns the set of a list's elements.
func NewSet(list event.Value) *Set {
	s := &Set{
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
			s.noResult = s.noResult || IsNoResult(v)
			s.add(v, s.numbers)
		default:
			s.others = append(s.others, v)
		}
	}
	return s
}

// add adds the number of v to values, or v to the ids; what is no number is skipped.
func (s *Set) add(v event.Value, values map[float64]bool) {
	switch f, ok := Number(v); {
	case !ok:
	case math.Abs(f) < Exact:
		values[f] = true
	default:
		s.ids[f] = append(s.ids[f], v)
	}
}

// Contains reports whether an element equals v.
func (s *Set) Contains(m *Meter, v event.Value) bool {
	switch v.Kind() {
	case event.Missing, event.Null:
		return s.null || s.noResult
	case event.Bool:
		return v.Bool() && s.yes || !v.Bool() && s.no
	case event.String:
		m.SpendRead(v)
		f := NumberOrNaN(v)
		return s.texts[v.Text()] || s.numbers[f] || m.search(v, s.ids[f])
	case event.Number:
		if IsNoResult(v) {
			return s.null
		}
		f := v.Float()
		return s.numeric[f] || s.numbers[f] || m.search(v, s.ids[f])
	}
	return m.search(v, s.others)
}

// search reports whether one of the elements equals v.
func (m *Meter) search(v event.Value, elements []event.Value) bool {
	for i := range elements {
		m.Spend(1)
		if m.Equal(&v, &elements[i]) {
			return true
		}
	}
	return false
}
