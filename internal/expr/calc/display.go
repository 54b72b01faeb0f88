package calc

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/event"
)

// Missing is printed for a value that the event does not have.
const Missing = "–"

// Display prints a value for a template: numbers as sent, lists joined. It stops
// one character beyond what alert.Bound keeps, so that Bound still truncates it.
func Display(v event.Value) string {
	b := printer{limit: utf8.UTFMax * (alert.MaxValue + 1)}
	b.value(v)
	return b.String()
}

// DisplayAll prints a whole value, bounded only by the step limit.
func DisplayAll(m *Meter, v event.Value) string {
	b := printer{limit: math.MaxInt, meter: m}
	b.value(v)
	return b.String()
}

// printer builds a text of at most limit bytes, rounded up to a whole rune.
type printer struct {
	strings.Builder
	limit int
	meter *Meter // nil: steps are not counted
}

func (b *printer) add(s string) {
	if b.meter != nil {
		b.meter.Spend(1 + len(s)>>2)
	}
	left := b.limit - b.Len()
	for left > 0 && left < len(s) && !utf8.RuneStart(s[left]) {
		left++
	}
	b.WriteString(s[:max(0, min(left, len(s)))])
}

func (b *printer) value(v event.Value) {
	if IsAbsent(v) {
		b.add(Missing)
		return
	}
	switch v.Kind() {
	case event.Bool:
		b.add(strconv.FormatBool(v.Bool()))
	case event.Number, event.String:
		b.add(v.Text())
	case event.Array:
		b.list(v, func(event.Value) {})
	case event.Object:
		b.list(v, func(member event.Value) {
			b.add(member.Name())
			b.add(" ")
		})
	}
}

// list writes the elements of an array or an object, with commas between them.
func (b *printer) list(v event.Value, before func(event.Value)) {
	for i := 0; i < v.Len() && b.Len() < b.limit; i++ {
		if i > 0 {
			b.add(", ")
		}
		before(v.At(i))
		b.value(v.At(i))
	}
}

// Money prints an amount with thousands separators and at least two decimals:
// 1034210.5 is 1,034,210.50. It keeps every decimal that was sent, and the currency.
func Money(v event.Value) (string, bool) {
	whole, fraction, unit, ok := decimal(v)
	for len(fraction) < 2 {
		fraction += "0"
	}
	return whole + "." + fraction + unit, ok
}

// Quantity prints a count or a number of shares: 1,200 or 0.5.
func Quantity(v event.Value) (string, bool) {
	whole, fraction, unit, ok := decimal(v)
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		whole += "." + fraction
	}
	return whole + unit, ok
}

// decimal splits an amount as it was sent: its whole part with separators, its
// fraction, and its unit after a space. Beyond 1e30 it has none.
func decimal(v event.Value) (whole, fraction, unit string, ok bool) {
	const longest = 40 // a longer literal of a number is the noise of a computation
	f, ok := Number(v)
	a, split := parseAmount(v.Text())
	if !ok || math.Abs(f) >= 1e30 {
		return "", "", "", false
	}
	if !split || strings.ContainsAny(a.decimal, "eE") || v.Kind() == event.Number && len(a.decimal) > longest {
		a.decimal = strconv.FormatFloat(math.Abs(f), 'f', -1, 64)
	}
	whole, fraction, _ = strings.Cut(strings.ReplaceAll(a.decimal, ",", ""), ".")
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if f < 0 {
		whole = "-" + whole
	}
	if a.unit != "" {
		unit = " " + a.unit
	}
	return whole, fraction, unit, true
}

// Percent prints a fraction: 0.081 is 8.1 %. It uses one decimal, two below 1 %.
func Percent(v event.Value) (string, bool) {
	f, ok := Number(v)
	if f *= 100; !ok || math.IsInf(f, 0) {
		return "", false
	}
	decimals := 1
	if math.Abs(f) < 1 {
		decimals = 2
	}
	text := strconv.FormatFloat(f, 'f', decimals, 64)
	text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	if text == "-0" || text == "" {
		text = "0"
	}
	return text + " %", true
}

// Ago prints an age in seconds: 12 s ago, 4 m ago, 3 h ago.
func Ago(seconds float64) event.Value {
	if math.IsNaN(seconds) || math.Abs(seconds) > 1e9 {
		return event.Value{}
	}
	d := time.Duration(math.Abs(seconds) * float64(time.Second))
	var text string
	switch {
	case d < time.Minute:
		text = fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		text = fmt.Sprintf("%d m", d/time.Minute)
	case d < 48*time.Hour:
		text = fmt.Sprintf("%d h", d/time.Hour)
	default:
		text = fmt.Sprintf("%d d", d/(24*time.Hour))
	}
	if seconds < 0 {
		return event.StringValue("in " + text)
	}
	return event.StringValue(text + " ago")
}
