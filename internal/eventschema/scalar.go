package eventschema

import (
	"math"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/event"
)

// cost is how many steps it takes to look at a text.
func cost(s string) int { return 1 + len(s)>>4 }

// patternCost is how many steps a regular expression takes for a byte.
const patternCost = 4

func (e *evaluation) text(t *textRules, s string) *failure {
	e.spend(cost(s))
	if t.least >= 0 || t.most >= 0 {
		n := utf8.RuneCountInString(s)
		switch {
		case n < t.least:
			return e.fail("minLength", "too short")
		case t.most >= 0 && n > t.most:
			return e.fail("maxLength", "too long")
		}
	}
	if t.pattern != nil {
		e.spend(patternCost * len(s))
		if !t.pattern.MatchString(s) {
			return e.fail("pattern", "")
		}
	}
	if t.format != nil {
		e.spend(patternCost * len(s))
		if t.format.Validate(s) != nil {
			return e.fail("format", "not a "+t.format.Name)
		}
	}
	return nil
}

func (e *evaluation) number(n *numberRules, v event.Value) *failure {
	f := v.Float()
	switch {
	case n.least != nil && f < *n.least:
		return e.fail("minimum", "too small")
	case n.most != nil && f > *n.most:
		return e.fail("maximum", "too large")
	case n.above != nil && f <= *n.above:
		return e.fail("exclusiveMinimum", "too small")
	case n.below != nil && f >= *n.below:
		return e.fail("exclusiveMaximum", "too large")
	case n.multipleOf != nil && !isMultiple(v, n.multipleOf):
		return e.fail("multipleOf", "")
	}
	return nil
}

// longestExact is the longest literal that is calculated with exactly.
const longestExact = 40

// isMultiple reports whether a number is a multiple of another. A long literal counts as
// the float closest to it.
func isMultiple(v event.Value, of *big.Rat) bool {
	r := new(big.Rat)
	literal := v.Text()
	if _, ok := r.SetString(literal); len(literal) > longestExact || strings.ContainsAny(literal, "eE") || !ok {
		if r.SetFloat64(v.Float()) == nil {
			return true // beyond any float: its last digits are not known
		}
	}
	return r.Quo(r, of).IsInt()
}

// isWhole reports whether a number has no fraction.
func isWhole(v event.Value) bool {
	return !strings.ContainsAny(v.Text(), ".eE") || math.Trunc(v.Float()) == v.Float()
}
