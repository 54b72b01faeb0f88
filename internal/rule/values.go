package rule

import (
	"math"
	"strings"

	"github.com/algotrade/notifier/internal/event"
)

// The operators. They are total on all kinds and count the steps that grow with
// the values. Those of most conditions take pointers: a copy of a value is slow.

// number returns v as a number, else NaN, and counts the reading.
func (m *meter) number(v event.Value) float64 {
	m.spendRead(v)
	return numberOrNaN(v)
}

// equal is ==: missing and a calculation without a result equal null; a number and a text compare as numbers, two
// texts as texts, so that the ids "007" and "7" differ.
func (m *meter) equal(a, b *event.Value) bool {
	x, y := a.Kind(), b.Kind()
	switch {
	case x == event.String && y == event.String:
		return m.equalTexts(a.Text(), b.Text())
	case x <= event.Null || y <= event.Null:
		return isAbsent(*a) && isAbsent(*b)
	case x == event.Number && y == event.Number:
		return m.equalNumbers(a, b)
	case x == event.Number && y == event.String, x == event.String && y == event.Number:
		m.spendRead(*a)
		m.spendRead(*b)
		return m.equalNumbers(a, b)
	case x != y:
		return false
	case x == event.Bool:
		return a.Bool() == b.Bool()
	case x == event.Array:
		return m.equalLists(*a, *b)
	}
	return m.equalObjects(*a, *b)
}

func (m *meter) equalTexts(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) > shortText {
		m.spend(len(a) >> 4)
	}
	return a == b
}

// unequal is !=, which is false without a result.
func (m *meter) unequal(a, b *event.Value) bool {
	return !isNoResult(*a) && !isNoResult(*b) && !m.equal(a, b)
}

func (m *meter) equalNumbers(a, b *event.Value) bool {
	x, y := numberOrNaN(*a), numberOrNaN(*b)
	return x == y && m.sign(a, b, x, y) == 0
}

func (m *meter) equalLists(a, b event.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		m.spend(1)
		if x, y := a.At(i), b.At(i); !m.equal(&x, &y) {
			return false
		}
	}
	return true
}

func (m *meter) equalObjects(a, b event.Value) bool {
	return m.hasMembers(a, b) && m.hasMembers(b, a)
}

// hasMembers reports whether b has every member of a with an equal value.
func (m *meter) hasMembers(a, b event.Value) bool {
	for i := range a.Len() {
		m.spend(1)
		name := a.At(i).Name()
		if x, y := m.member(a, name), m.member(b, name); !m.equal(&x, &y) {
			return false
		}
	}
	return true
}

// order compares for < <= > >=; ok is false if the values have no order. Two
// texts compare as numbers if both are numbers, else by bytes. Amounts in two
// currencies have no order.
func (m *meter) order(a, b *event.Value) (sign int, ok bool) {
	if a.Kind() <= event.Null { // of many events the member is missing
		m.spendRead(*b)
		return 0, false
	}
	m.spendRead(*a)
	m.spendRead(*b)
	x, xok := number(*a)
	y, yok := number(*b)
	switch {
	case xok && yok:
		return m.sign(a, b, x, y), sameUnit(a, b)
	case a.Kind() == event.String && b.Kind() == event.String:
		return strings.Compare(a.Text(), b.Text()), true
	}
	return 0, false
}

// within is in: v is an element of a list or the name of a member.
func (m *meter) within(v, list *event.Value) bool {
	switch list.Kind() {
	case event.Array:
		for i := range list.Len() {
			m.spend(1)
			if e := list.At(i); m.equal(v, &e) {
				return true
			}
		}
	case event.Object:
		return v.Kind() == event.String && m.member(*list, v.Text()).Kind() != event.Missing
	}
	return false
}

// sameUnit reports whether two values that are numbers have no different units.
func sameUnit(a, b *event.Value) bool {
	if a.Kind() != event.String || b.Kind() != event.String {
		return true
	}
	x, _ := parseAmount(a.Text())
	y, _ := parseAmount(b.Text())
	return x.unit == "" || y.unit == "" || x.unit == y.unit
}

// arithmetic is - * / and %.
func arithmetic(operator string, a, b float64) event.Value {
	switch operator {
	case "-":
		return computed(a - b)
	case "*":
		return computed(a * b)
	case "/":
		return computed(a / b)
	}
	return computed(math.Mod(a, b))
}

// add is +: the sum of two numbers. Two texts are joined if one of them is no number,
// always if joined is true; then numbers are joined as they were sent.
func (m *meter) add(a, b event.Value, joined bool) event.Value {
	m.spendRead(a)
	m.spendRead(b)
	if !joined {
		x, xok := number(a)
		y, yok := number(b)
		if xok && yok || a.Kind() != event.String || b.Kind() != event.String {
			return computed(x + y)
		}
	}
	if isAbsent(a) || isAbsent(b) {
		return event.Value{}
	}
	x, y := displayAll(m, a), displayAll(m, b)
	m.spendText(len(x) + len(y))
	return event.StringValue(x + y)
}

// index is list[i], from the end if i is negative, and object[name].
func (m *meter) index(v, key event.Value) event.Value {
	switch {
	case v.Kind() == event.Object && key.Kind() == event.String:
		return m.member(v, key.Text())
	case v.Kind() == event.Array && key.Kind() == event.Number:
		f := key.Float()
		if f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
			return event.Value{}
		}
		i := int(f)
		if i < 0 {
			i += v.Len()
		}
		return v.At(i)
	}
	return event.Value{}
}
