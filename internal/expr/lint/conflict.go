package lint

import (
	"cmp"
	"strings"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
)

// conflict reports whether two facts about the same are never both true.
func conflict(a, b fact) bool {
	switch {
	case a.subject != b.subject:
		return false
	case a.operator == "in" && !a.not:
		return !a.anyFits(b)
	case b.operator == "in" && !b.not:
		return !b.anyFits(a)
	case a.not || b.not:
		return false
	case a.operator == "startsWith" && b.operator == "startsWith":
		return !strings.HasPrefix(a.value.Text(), b.value.Text()) && !strings.HasPrefix(b.value.Text(), a.value.Text())
	}
	x, xok := calc.Number(a.value)
	y, yok := calc.Number(b.value)
	texts := a.value.Kind() == event.String && b.value.Kind() == event.String
	if texts && xok == yok && !disjoint(a, b, strings.Compare(a.value.Text(), b.value.Text())) { // no number lies between "22" and "6", but "3:00" does
		return false
	}
	if xok && yok {
		return calc.SameUnit(&a.value, &b.value) && disjoint(a, b, cmp.Compare(x, y))
	}
	return texts && xok == yok
}

// disjoint reports whether two orderings leave nothing between their limits; sign is
// that of a's limit minus b's.
func disjoint(a, b fact, sign int) bool {
	above := func(f fact) bool { return f.operator == ">" || f.operator == ">=" }
	below := func(f fact) bool { return f.operator == "<" || f.operator == "<=" }
	strict := len(a.operator) == 1 || len(b.operator) == 1
	return above(a) && below(b) && (sign > 0 || sign == 0 && strict) || below(a) && above(b) && (sign < 0 || sign == 0 && strict)
}

// anyFits reports whether one of the values of an in may be true for another fact.
func (f fact) anyFits(other fact) bool {
	for i := range f.value.Len() {
		if other.mayHold(f.value.At(i)) {
			return true
		}
	}
	return false
}

// mayHold reports whether a fact may be true for something that equals v: a number may
// also be a text of the event, and the reverse.
func (f fact) mayHold(v event.Value) bool {
	m := &calc.Meter{}
	x, isNumber := calc.Number(v)
	switch f.operator {
	case "in":
		for i := range f.value.Len() {
			e := f.value.At(i)
			y, ok := calc.Number(e)
			same := m.Equal(&v, &e)
			if f.not && same && v.Kind() == e.Kind() && (v.Kind() != event.Number || x == y) {
				return false
			}
			if !f.not && (same || isNumber && ok && x == y) {
				return true
			}
		}
		return f.not
	case "<", "<=", ">", ">=":
		if _, ok := calc.Number(f.value); isNumber && !ok {
			return true
		}
		sign, ok := m.Order(&v, &f.value)
		return ok && (sign == 0 && len(f.operator) == 2 || sign < 0 && f.operator[0] == '<' || sign > 0 && f.operator[0] == '>')
	case "contains", "startsWith", "endsWith":
		if v.Kind() == event.Number || f.value.Kind() != event.String || isNumber && f.not {
			return true
		}
		holds := map[string]func(s, part string) bool{"contains": strings.Contains, "startsWith": strings.HasPrefix, "endsWith": strings.HasSuffix}[f.operator]
		return (v.Kind() == event.String && holds(v.Text(), f.value.Text())) != f.not
	}
	return true
}
