package calc

import (
	"math"
	"strings"

	"github.com/algotrade/notifier/internal/event"
)

// The operators. They are total on all kinds and count the steps that grow with
// the values. Those of most conditions take pointers: a copy of a value is slow.

// Number returns v as a number, else NaN, and counts the reading.
func (m *Meter) Number(v event.Value) float64 {
	m.SpendRead(v)
	return NumberOrNaN(v)
}

// Equal is ==: missing and a calculation without a result equal null; a number and a text compare as numbers, two
// texts as texts, so that the ids "007" and "7" differ.
func (m *Meter) Equal(a, b *event.Value) bool {
	x, y := a.Kind(), b.Kind()
	switch {
	case x == event.String && y == event.String:
		return m.EqualTexts(a.Text(), b.Text())
	case x <= event.Null || y <= event.Null:
		return IsAbsent(*a) && IsAbsent(*b)
	case x == event.Number && y == event.Number:
		return m.equalNumbers(a, b)
	case x == event.Number && y == event.String, x == event.String && y == event.Number:
		m.SpendRead(*a)
		m.SpendRead(*b)
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

// EqualTexts reports whether two texts are the same, and counts the steps of long ones.
func (m *Meter) EqualTexts(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	if len(a) > shortText {
		m.Spend(len(a) >> 4)
	}
	return a == b
}

// Unequal is !=, which is false without a result.
func (m *Meter) Unequal(a, b *event.Value) bool {
	return !IsNoResult(*a) && !IsNoResult(*b) && !m.Equal(a, b)
}

func (m *Meter) equalNumbers(a, b *event.Value) bool {
	x, y := NumberOrNaN(*a), NumberOrNaN(*b)
	return x == y && m.Sign(a, b, x, y) == 0
}

func (m *Meter) equalLists(a, b event.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		m.Spend(1)
		if x, y := a.At(i), b.At(i); !m.Equal(&x, &y) {
			return false
		}
	}
	return true
}

func (m *Meter) equalObjects(a, b event.Value) bool {
	return m.hasMembers(a, b) && m.hasMembers(b, a)
}

// hasMembers reports whether b has every member of a with an equal value.
func (m *Meter) hasMembers(a, b event.Value) bool {
	for i := range a.Len() {
		m.Spend(1)
		name := a.At(i).Name()
		if x, y := m.Member(a, name), m.Member(b, name); !m.Equal(&x, &y) {
			return false
		}
	}
	return true
}

// Order compares for < <= > >=; ok is false if the values have no order. Two
// texts compare as numbers if both are numbers, else by bytes. Amounts in two
// currencies have no order.
func (m *Meter) Order(a, b *event.Value) (sign int, ok bool) {
	if a.Kind() <= event.Null { // of many events the member is missing
		m.SpendRead(*b)
		return 0, false
	}
	m.SpendRead(*a)
	m.SpendRead(*b)
	x, xok := Number(*a)
	y, yok := Number(*b)
	switch {
	case xok && yok:
		return m.Sign(a, b, x, y), SameUnit(a, b)
	case a.Kind() == event.String && b.Kind() == event.String:
		return strings.Compare(a.Text(), b.Text()), true
	}
	return 0, false
}

// Within is in: v is an element of a list or the name of a member.
func (m *Meter) Within(v, list *event.Value) bool {
	switch list.Kind() {
	case event.Array:
		for i := range list.Len() {
			m.Spend(1)
			if e := list.At(i); m.Equal(v, &e) {
				return true
			}
		}
	case event.Object:
		return v.Kind() == event.String && m.Member(*list, v.Text()).Kind() != event.Missing
	}
	return false
}

// SameUnit reports whether two values that are numbers have no different units.
func SameUnit(a, b *event.Value) bool {
	if a.Kind() != event.String || b.Kind() != event.String {
		return true
	}
	x, _ := parseAmount(a.Text())
	y, _ := parseAmount(b.Text())
	return x.unit == "" || y.unit == "" || x.unit == y.unit
}

// Arithmetic is - * / and %.
func Arithmetic(operator string, a, b float64) event.Value {
	switch operator {
	case "-":
		return Computed(a - b)
	case "*":
		return Computed(a * b)
	case "/":
		return Computed(a / b)
	}
	return Computed(math.Mod(a, b))
}

// Add is +: the sum of two numbers. Two texts are joined if one of them is no number,
// always if joined is true; then numbers are joined as they were sent.
func (m *Meter) Add(a, b event.Value, joined bool) event.Value {
	m.SpendRead(a)
	m.SpendRead(b)
	if !joined {
		x, xok := Number(a)
		y, yok := Number(b)
		if xok && yok || a.Kind() != event.String || b.Kind() != event.String {
			return Computed(x + y)
		}
	}
	if IsAbsent(a) || IsAbsent(b) {
		return event.Value{}
	}
	x, y := DisplayAll(m, a), DisplayAll(m, b)
	m.SpendText(len(x) + len(y))
	return event.StringValue(x + y)
}

// Index is list[i], from the end if i is negative, and object[name].
func (m *Meter) Index(v, key event.Value) event.Value {
	switch {
	case v.Kind() == event.Object && key.Kind() == event.String:
		return m.Member(v, key.Text())
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

// AreComparable reports whether the result of an operator depends on more than the
// types of two values.
func AreComparable(operator string, a, b event.Value) bool {
	_, aIsNumber := Number(a)
	_, bIsNumber := Number(b)
	texts := a.Kind() == event.String && b.Kind() == event.String
	switch operator {
	case "==", "!=":
		return a.Kind() == b.Kind() || aIsNumber && bIsNumber
	case "<", "<=", ">", ">=":
		return aIsNumber && bIsNumber || texts && !aIsNumber && !bIsNumber
	case "in":
		for i := range b.Len() {
			if e := b.At(i); b.Kind() == event.Array && (e.IsNil() || AreComparable("==", a, e)) {
				return true
			}
		}
		return b.Kind() == event.Object && a.Kind() == event.String || b.Kind() == event.Array && b.Len() == 0
	}
	return texts
}
