package eventschema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/algotrade/notifier/internal/event"
)

func (e *evaluation) array(a *arrayRules, v event.Value) *failure {
	e.spend(v.Len())
	switch n := v.Len(); {
	case a.least >= 0 && n < a.least:
		return e.fail("minItems", "too few elements")
	case a.most >= 0 && n > a.most:
		return e.fail("maxItems", "too many elements")
	}
	for i := range v.Len() {
		one := a.items
		if i < len(a.prefix) {
			one = a.prefix[i]
		}
		if one == nil || one.trivial {
			continue
		}
		if f := e.node(one, v.At(i)); f != nil {
			return e.below("[]", f)
		}
	}
	if a.unique && e.hasDuplicates(v) {
		return e.fail("uniqueItems", "an element occurs twice")
	}
	if a.contains == nil {
		return nil
	}
	found := 0
	for i := range v.Len() {
		if e.accepts(a.contains, v.At(i)) {
			found++
		}
	}
	switch {
	case found < a.leastFound:
		return e.fail("contains", "too few elements fit")
	case a.mostFound >= 0 && found > a.mostFound:
		return e.fail("maxContains", "too many elements fit")
	}
	return nil
}

// hasDuplicates reports whether two elements are equal.
func (e *evaluation) hasDuplicates(v event.Value) bool {
	known := make(map[string]bool, v.Len())
	for i := range v.Len() {
		var b strings.Builder
		e.canonical(&b, v.At(i))
		if known[b.String()] {
			return true
		}
		known[b.String()] = true
	}
	return false
}

// canonical writes a text that is the same for equal values only.
func (e *evaluation) canonical(b *strings.Builder, v event.Value) {
	e.spend(8)
	b.WriteByte('0' + byte(v.Kind()))
	switch v.Kind() {
	case event.Bool:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case event.Number:
		b.WriteString(strconv.FormatFloat(v.Float()+0, 'g', -1, 64)) // + 0: -0 is 0
	case event.String:
		e.spend(len(v.Text()) >> 2)
		b.WriteString(strconv.Itoa(len(v.Text())))
		b.WriteByte(':')
		b.WriteString(v.Text())
	case event.Array:
		for i := range v.Len() {
			e.canonical(b, v.At(i))
		}
		b.WriteByte(']')
	case event.Object:
		for _, m := range e.sorted(v) {
			e.canonical(b, event.StringValue(m.Name()))
			e.canonical(b, m)
		}
		b.WriteByte('}')
	}
}

// sorted returns the members of an object by name. Of members with the same name only
// the last is returned.
func (e *evaluation) sorted(v event.Value) []event.Value {
	members := make([]event.Value, v.Len())
	for i := range members {
		members[i] = v.At(len(members) - 1 - i)
	}
	e.spend(8 * len(members))
	byName := func(a, b event.Value) int { return strings.Compare(a.Name(), b.Name()) }
	slices.SortStableFunc(members, byName)
	return slices.CompactFunc(members, func(a, b event.Value) bool { return a.Name() == b.Name() })
}

// equal reports whether two values are equal.
func (e *evaluation) equal(a, b event.Value) bool {
	e.spend(1)
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case event.Bool:
		return a.Bool() == b.Bool()
	case event.Number:
		return a.Float() == b.Float()
	case event.String:
		return a.Text() == b.Text()
	case event.Array, event.Object:
		if a.Kind() == event.Array && a.Len() != b.Len() {
			return false
		}
		var left, right strings.Builder
		e.canonical(&left, a)
		e.canonical(&right, b)
		return left.String() == right.String()
	}
	return true
}
