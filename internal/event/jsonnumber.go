package event

import (
	"fmt"
	"math"
	"strconv"

	"github.com/algotrade/notifier/internal/outcome"
)

// largest is the smallest number that counts as the largest float: libraries of
// brokers send it, or what remains of it after rounding, for a number that is unset.
const largest = 1.7976e308

// IsUnset reports whether a number means that there is none.
func IsUnset(f float64) bool { return math.Abs(f) >= largest && !math.IsInf(f, 0) }

// number reads a number and keeps its literal. Beyond float64 its value is ±Inf.
func (p *parser) number(keep bool) Value {
	start := p.pos
	if p.data[p.pos] == '-' {
		p.pos++
	}
	switch {
	case p.pos < len(p.data) && p.data[p.pos] == '0':
		p.pos++
	case !p.digits():
		return Value{}
	}
	if p.pos < len(p.data) && p.data[p.pos] == '.' {
		p.pos++
		if !p.digits() {
			return Value{}
		}
	}
	if p.pos < len(p.data) && (p.data[p.pos]|0x20) == 'e' {
		p.pos++
		if p.pos < len(p.data) && (p.data[p.pos] == '+' || p.data[p.pos] == '-') {
			p.pos++
		}
		if !p.digits() {
			return Value{}
		}
	}
	if !keep {
		return Value{}
	}
	literal := share(p.data[start:p.pos])
	f, _ := strconv.ParseFloat(literal, 64)
	if IsUnset(f) {
		p.repair(UnsetNumber, fmt.Sprintf("the largest float, which means unset, at byte %d: send null", start))
		return NullValue()
	}
	return LiteralValue(literal, f)
}

func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.data) && p.data[p.pos] >= '0' && p.data[p.pos] <= '9' {
		p.pos++
	}
	if p.pos == start {
		p.fail(outcome.NotJSON, "expected a digit")
		return false
	}
	return true
}
