//go:build !race

package rule_test

import "testing"

// Not with the race detector, with which a sync.Pool forgets what it is given.
func TestPrefilterDoesNotAllocate(t *testing.T) {
	amounts := filter(conditions(t, `event.notional > 1e9`, `event.id == "9007199254740993" or event.id > "9007199254740993"`))
	positions := filter(conditions(t, `any(event.positions, abs(.weight) > 0.2) and event.x == nil`, `count(event.positions, .weight in map(event.limits, #) and .weight > vars.limit) > 0`))
	for value, f := range map[string]filtered{
		execution: filter(defaults(t)),
		`{"positions":[{"symbol":"A","weight":-0.1},{"symbol":"B","weight":"0.10"}]}`: positions,
		`{"notional":"(12,000.50) USDT"}`:                                             amounts, `{"notional":"999,999,012,000.50000000 USDT"}`: amounts, `{"id":9007199254740992}`: amounts, `{"id":"9007199254740992"}`: amounts,
	} {
		rec := record(value)
		quiet := false
		if got := testing.AllocsPerRun(1000, func() { quiet = f.prefilter.Quiet(rec, arrived, nil) }); got != 0 || quiet != (value != `{"notional":"999,999,012,000.50000000 USDT"}`) {
			t.Errorf("%s: %v allocations, quiet %v", value, got, quiet)
		}
	}
}
