package calc

import (
	"math"
	"strconv"
	"strings"

	"github.com/algotrade/notifier/internal/event"
)

// maxAmount limits the text of a number, in bytes.
const maxAmount = 64

// amount is a number as trading systems write it: 12000.50, "12,000.50",
// "(12000.50)" for a negative one, and "12000.50 USDT".
type amount struct {
	negative bool
	decimal  string // digits with an optional fraction and exponent, without a sign
	grouped  bool   // decimal has commas
	unit     string // such as USDT; empty: none
}

// Number returns the value of a number, or of a text that is one: money and
// quantities are sent as texts. A number beyond float64 is none.
func Number(v event.Value) (float64, bool) {
	switch v.Kind() {
	case event.Number:
		f := v.Float()
		return f, f-f == 0 // not NaN, not ±Inf
	case event.String:
		return ParseNumber(v.Text())
	}
	return math.NaN(), false
}

// NumberOrNaN is Number, and NaN for what is none.
func NumberOrNaN(v event.Value) float64 {
	f, ok := Number(v)
	if !ok {
		return math.NaN()
	}
	return f
}

// ParseNumber reads an amount. It accepts decimal numbers only, unlike strconv no
// "inf", "nan", hexadecimal or underscores.
func ParseNumber(s string) (float64, bool) {
	a, ok := parseAmount(s)
	if !ok {
		return math.NaN(), false
	}
	return a.float()
}

// parseAmount splits a text. The decimal may still be no number, such as 1.2.3.
func parseAmount(s string) (a amount, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) > maxAmount {
		return a, false
	}
	if at := strings.LastIndexByte(s, ' '); at > 0 && isUnit(s[at+1:]) {
		s, a.unit = s[:at], s[at+1:]
	}
	switch {
	case s == "":
		return a, false
	case s[0] == '(' && s[len(s)-1] == ')':
		s, a.negative = s[1:len(s)-1], true
	case s[0] == '-' || s[0] == '+':
		a.negative, s = s[0] == '-', s[1:]
	}
	if s == "" || s[0] == '-' || s[0] == '+' {
		return a, false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '.', c == '+', c == '-', c == 'e', c == 'E':
		case c == ',' && i > 0:
			a.grouped = true
		default:
			return a, false
		}
	}
	a.decimal = s
	return a, !a.grouped || isGrouped(s)
}

// isUnit reports whether s is the code of a currency or a token: USD, USDT, 1INCH.
func isUnit(s string) bool {
	letters := false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			letters = true
		case c < '0' || c > '9':
			return false
		}
	}
	return letters && len(s) >= 2 && len(s) <= 10
}

// isGrouped reports whether commas separate groups of three digits. 0,125 is a
// decimal comma.
func isGrouped(s string) bool {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole == "" || whole[0] == '0' || strings.Contains(fraction, ",") {
		return false
	}
	for i := range len(whole) {
		if isDigit := whole[i] >= '0' && whole[i] <= '9'; isDigit == ((len(whole)-i)%4 == 0) || !isDigit && whole[i] != ',' {
			return false
		}
	}
	return true
}

// float returns the amount's value; ok is false if it is beyond float64, or the
// largest float64, which means that it is not set.
func (a *amount) float() (f float64, ok bool) {
	text := a.decimal
	if a.grouped {
		var digits [maxAmount]byte
		n := 0
		for i := range len(text) {
			if text[i] != ',' {
				digits[n] = text[i]
				n++
			}
		}
		text = string(digits[:n])
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f == math.MaxFloat64 {
		return math.NaN(), false
	}
	if a.negative {
		f = -f
	}
	return f, true
}

// AsNumber returns a value as a number with its digits, so that a whole number stays
// exact beyond 2^53; NaN if it is none. Numbers that are exact cost no memory.
func AsNumber(v event.Value) event.Value {
	f, ok := Number(v)
	if !ok {
		return event.NumberValue(math.NaN())
	}
	if v.Kind() == event.Number {
		return v
	}
	a, _ := parseAmount(v.Text())
	switch {
	case !a.negative && !a.grouped:
		return event.LiteralValue(a.decimal, f)
	case math.Abs(f) < Exact:
		return event.NumberValue(f)
	}
	digits := strings.ReplaceAll(a.decimal, ",", "")
	if a.negative {
		digits = "-" + digits
	}
	return event.LiteralValue(digits, f)
}

// Negative returns minus a number, with its digits if they are not exact.
func Negative(v event.Value) event.Value {
	f := v.Float()
	if !(math.Abs(f) >= Exact) {
		return event.NumberValue(-f)
	}
	if digits, ok := strings.CutPrefix(v.Text(), "-"); ok {
		return event.LiteralValue(digits, -f)
	}
	return event.LiteralValue("-"+strings.TrimPrefix(v.Text(), "+"), -f)
}

// Magnitude returns a number without its sign, with its digits.
func Magnitude(v event.Value) event.Value {
	if v.Float() < 0 {
		return Negative(v)
	}
	return v
}

// Computed returns the result of a computation. What is not finite, such as a
// quotient by zero, is not a number.
func Computed(f float64) event.Value {
	if math.IsInf(f, 0) {
		f = math.NaN()
	}
	return event.NumberValue(f)
}

// IsAbsent reports whether a value is missing, null or not a number.
func IsAbsent(v event.Value) bool {
	return v.IsNil() || IsNoResult(v)
}

// IsNoResult reports whether v is of a calculation without a result.
func IsNoResult(v event.Value) bool { return v.Kind() == event.Number && math.IsNaN(v.Float()) }

// Exact is the first whole number that float64 cannot distinguish from the next.
const Exact = 1 << 53

// Sign compares two values whose numbers are x and y: whole numbers exactly, also
// where float64 cannot distinguish them.
func (m *Meter) Sign(a, b *event.Value, x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case math.Abs(x) < Exact:
		return 0
	}
	m.Spend(4)
	p, q := wholeDigits(*a), wholeDigits(*b)
	if p == "" || q == "" {
		return 0
	}
	sign := len(p) - len(q)
	if sign == 0 {
		sign = strings.Compare(p, q)
	}
	if x < 0 {
		return -sign
	}
	return sign
}

// wholeDigits returns the digits of a whole number, such as 5, 5.00 and 5,000, without
// leading zeros; empty: it is none, or has an exponent.
func wholeDigits(v event.Value) string {
	a, ok := parseAmount(v.Text())
	if !ok {
		return ""
	}
	digits := a.decimal
	if whole, fraction, ok := strings.Cut(digits, "."); ok && strings.Trim(fraction, "0") == "" {
		digits = whole
	}
	if a.grouped {
		digits = strings.ReplaceAll(digits, ",", "")
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return ""
		}
	}
	return strings.TrimLeft(digits, "0")
}
