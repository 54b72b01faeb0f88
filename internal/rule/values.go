package rule

import (
	"math"
	"strconv"
	"strings"

	"github.com/algotrade/notifier/internal/event"
)

// The operators. They are total on all kinds and count the steps that grow with
// the values.

// number returns a number, or a text that is one: money and quantities are sent
// as decimal strings.
func number(v event.Value) (float64, bool) {
	switch v.Kind() {
	case event.Number:
		return v.Float(), true
	case event.String:
		return parseNumber(v.Text())
	}
	return math.NaN(), false
}

// parseNumber accepts decimal numbers only, unlike strconv no "inf", "nan",
// hexadecimal or underscores.
func parseNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 {
		return math.NaN(), false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '.', c == '+', c == '-', c == 'e', c == 'E':
		default:
			return math.NaN(), false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN(), false
	}
	return f, true
}

func numberOrNaN(v event.Value) float64 {
	f, ok := number(v)
	if !ok {
		return math.NaN()
	}
	return f
}

// number returns v as a number, else NaN, and counts the reading.
func (m *meter) number(v event.Value) float64 {
	m.spendRead(v)
	return numberOrNaN(v)
}

// equal is ==: missing equals null; a number and a text compare as numbers, two
// texts as texts, so that the ids "007" and "7" differ.
func (m *meter) equal(a, b event.Value) bool {
	switch {
	case a.IsNil() || b.IsNil():
		return a.IsNil() && b.IsNil()
	case a.Kind() == event.Number && b.Kind() == event.Number:
		return a.Float() == b.Float() && !m.differBeyondFloat(a, b)
	case a.Kind() == event.Number && b.Kind() == event.String, a.Kind() == event.String && b.Kind() == event.Number:
		m.spendRead(a)
		m.spendRead(b)
		return numberOrNaN(a) == numberOrNaN(b)
	case a.Kind() != b.Kind():
		return false
	}
	switch a.Kind() {
	case event.String:
		if len(a.Text()) != len(b.Text()) {
			return false
		}
		m.spendRead(a)
		return a.Text() == b.Text()
	case event.Bool:
		return a.Bool() == b.Bool()
	case event.Array:
		return m.equalLists(a, b)
	}
	return m.equalObjects(a, b)
}

// exact is the first integer that float64 cannot distinguish from the next one.
const exact = 1 << 53

// differBeyondFloat reports whether two integers differ that float64 cannot distinguish.
func (m *meter) differBeyondFloat(a, b event.Value) bool {
	const longest = len("-9223372036854775808") // a longer literal is no int64
	if math.Abs(a.Float()) < exact || len(a.Text()) > longest || len(b.Text()) > longest {
		return false
	}
	m.spend(4)
	x, errX := strconv.ParseInt(a.Text(), 10, 64)
	y, errY := strconv.ParseInt(b.Text(), 10, 64)
	return errX == nil && errY == nil && x != y
}

func (m *meter) equalLists(a, b event.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		m.spend(1)
		if !m.equal(a.At(i), b.At(i)) {
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
		if !m.equal(m.member(a, name), m.member(b, name)) {
			return false
		}
	}
	return true
}

// order compares for < <= > >=; ok is false if the values have no order. Two
// texts compare as numbers if both are numbers, else by bytes.
func (m *meter) order(a, b event.Value) (sign int, ok bool) {
	m.spendRead(a)
	m.spendRead(b)
	x, xok := number(a)
	y, yok := number(b)
	switch {
	case xok && yok:
		switch {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		}
		return 0, x == y
	case a.Kind() == event.String && b.Kind() == event.String:
		return strings.Compare(a.Text(), b.Text()), true
	}
	return 0, false
}

// within is in: v is an element of a list or the name of a member.
func (m *meter) within(v, list event.Value) bool {
	switch list.Kind() {
	case event.Array:
		for i := range list.Len() {
			m.spend(1)
			if m.equal(v, list.At(i)) {
				return true
			}
		}
	case event.Object:
		return v.Kind() == event.String && m.member(list, v.Text()).Kind() != event.Missing
	}
	return false
}

func arithmetic(operator string, a, b float64) float64 {
	switch operator {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "/":
		return a / b
	}
	return math.Mod(a, b)
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
