package ruletest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/ruletest"
)

func TestEventsOfATestHappenOnItsClock(t *testing.T) {
	for i, failures := range run(t, `
tests:
  - name: events have topic, sample and members of their test
    topic: trade-executions
    sample: order.filled
    event: {last_qty: 6, tags: {desk: a}}
    expect: [{rule: fills, key: AAPL/}]
    events: [{}, {after: 1m}, {event: {symbol: MSFT}, expect: [{rule: fills, key: MSFT/}]}, {event: {last_qty: 5}, expect: []}]
  - name: the time of an event is that of the clock
    topic: trade-executions
    sample: order.filled
    event: {last_qty: 6, tags: {desk: a}}
    events: [{after: 90m, expect: [{rule: fills, text: 0 s ago}]}]
  - name: unless the test gives one
    topic: trade-executions
    at: 2026-11-23T14:31:05Z
    events:
      - {after: 4m, sample: order.filled, event: {last_qty: 6, tags: {desk: a}, occurred_at: 2026-11-23T14:31:05Z}, expect: [{rule: old}, {rule: fills, text: 4 m ago}]}
      - {at: 2026-11-23T14:36:05Z, event: {last_qty: 6, tags: {desk: a}, occurred_at: 2026-11-23T14:31:05Z}, expect: [{rule: old}, {rule: fills, text: 5 m ago}]}
  - name: repetitions differ
    topic: trade-executions
    sample: order.filled
    event: {last_qty: 6, tags: {desk: a}}
    repeat: {times: 4, over: 4s, vary: {symbol: [MSFT, AAPL], last_qty: [6, 5, 5, 5]}}
    expect: []
  - {name: nothing is checked of an event without expect, topic: trade-executions, events: [{sample: order.filled, event: {last_qty: 6, tags: {desk: a}}}, {sample: order.rejected, expect: []}]}
`) {
		var want []string
		if i == 3 {
			want = []string{`repetition 1 of 4: fills is raised, but not expected: {rule: fills, severity: warning, key: ["MSFT", ""], to: [desk], title: "MSFT"}`}
		}
		if !slices.Equal(failures, want) {
			t.Errorf("test %d: %s", i, strings.Join(failures, "\n"))
		}
	}
}

// TestRepetitionsOfALongTimeKeepTheirDistance, whose product with their number overflows.
func TestRepetitionsOfALongTimeKeepTheirDistance(t *testing.T) {
	for _, failures := range run(t, `
tests:
  - name: the last of 10,000
    topic: trade-executions
    sample: order.filled
    event: {last_qty: 6, tags: {desk: a}}
    repeat: {times: 10000, over: 30d}
    channels: {desk: {digest: off}}
    within: 31d
    messages: {desk: 10000}
`) {
		if len(failures) > 0 {
			t.Errorf("%s", strings.Join(failures, "\n"))
		}
	}
}

func TestFailuresNameTheEventAndRepetition(t *testing.T) {
	got := run(t, `
tests:
  - name: a
    topic: trade-executions
    sample: order.filled
    event: {tags: {desk: a}}
    events:
      - {expect: [{rule: fills}]}
      - {after: 5s, repeat: {times: 5, over: 5s, vary: {last_qty: [6, 5]}}, expect: [{rule: fills}]}
  - {name: b, at: 2026-11-23T14:31:05Z, topic: trade-executions, sample: order.filled, events: [{expect: []}, {at: 2026-11-23T14:31:04Z}]}
`)
	for i, want := range [][]string{
		{
			"event 2: repetition 2 of 5: fills is not raised: its when is false: event.last_qty > vars.min, where event.last_qty is 5 and vars.min is 5",
			"event 2: repetition 2 of 5: differs in 1 further repetition",
		},
		{"event 2 is before the clock starts, at 2026-11-23T14:31:05Z"},
	} {
		if !slices.Equal(got[i], want) {
			t.Errorf("test %d: %q, want %q", i, got[i], want)
		}
	}
}

func TestFaultsOfEventsHavePlaces(t *testing.T) {
	_, faults := ruletest.Parse("t.yaml", []byte(`
tests:
  - {name: a, events: [{after: -1s, at: 2026-11-23T14:31:05Z}], repeat: {times: 2}}
  - {name: b, topic: trade-executions, sample: order.filled, expect: [], events: []}
  - {name: c, topic: trade-executions, sample: order.filled, expect: [], repeat: {times: 10001, over: -1s, vary: {x: []}}}
  - {name: d, topic: trade-executions, sample: order.filled, expect: [], events: [{repeat: {times: 9999}}, {}, {}]}
`), false)
	const want = `t.yaml:3:5: tests[0].expect: is missing: write the alerts that the event raises, or messages
t.yaml:3:24: tests[0].events[0].topic: is missing
t.yaml:3:24: tests[0].events[0].event: is missing: write event or the name of a sample
t.yaml:3:32: tests[0].events[0].after: at says when the event happens: leave one out
t.yaml:3:32: tests[0].events[0].after: is negative
t.yaml:3:73: tests[0].repeat: belongs to one of the events
t.yaml:4:82: tests[1].events: is empty
t.yaml:5:90: tests[2].repeat.times: is not between 1 and 10000
t.yaml:5:103: tests[2].repeat.over: is negative
t.yaml:5:118: tests[2].repeat.vary.x: has no value
t.yaml:6:82: tests[3].events: are 10001 with repetitions: a test has at most 10000`
	if got := faults.Error(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
