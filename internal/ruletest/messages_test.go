package ruletest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/ruletest"
)

const messageRules = `
version: 1
calendars: {overnight: {times: ["17:00-06:30"]}}
routes: {team: {info: [desk], warning: [desk], quiet: {during: overnight, severity: [info], do: drop}}}
rules:
  - {name: fills, topic: trade-executions, when: event.qty > 5, severity: info, key: [event.symbol], group_by: [event.desk], throttle: 1m, expire: 5m, to: [team], title: "{{ event.qty }} {{ event.symbol }}", text: x}
  - {name: limits, topic: portfolio-updates, when: event.leverage > 3, clear: event.leverage < 2, remind: 1h, key: [event.account], group_by: [event.account], to: [team, mail], title: "Leverage {{ event.leverage }}"}
`

// sent runs the tests in a file with a channel desk and returns what differs in each.
func sent(t *testing.T, file string) []string {
	t.Helper()
	set, faults := rule.Compile("rules.yaml", []byte(messageRules), rule.Environment{})
	tests, more := ruletest.Parse("rules.test.yaml", []byte(file), false)
	if faults = append(faults.Errors(), more...); len(faults) > 0 {
		t.Fatal(faults)
	}
	env := ruletest.New(ruletest.Params{Rules: set, Samples: configs.Samples(), Channels: channels})
	failures := make([]string, len(tests))
	for i, test := range tests {
		failures[i] = strings.Join(env.Run(test).Failures, "\n")
	}
	return failures
}

func TestMessagesFollowThrottleEpisodeAndDigest(t *testing.T) {
	for i, failures := range sent(t, `
tests:
  - name: throttled
    topic: trade-executions
    at: 2026-11-23T10:00:00Z
    repeat: {times: 90, over: 90s}
    event: {qty: 6, symbol: A}
    messages: {desk: [{after: 0s, by: 0s, severity: info, state: firing, members: 1, edit: false, title: 6 A}, {after: 1m, text: +59 since 10:00 UTC}]}
    suppressed: [{rule: fills, decision: throttled, count: 88}, {rule: fills, decision: throttled}, {rule: fills, decision: expired, count: 0}, {rule: fills, decision: throttled, channel: mail, count: 0}]
  - name: an episode with a reminder and its end
    topic: portfolio-updates
    at: 2026-11-23T10:00:00Z
    events: [{event: {account: A, leverage: 4}}, {after: 30m, event: {account: A, leverage: 5}}, {after: 90m, event: {account: A, leverage: 1}}]
    messages: {desk: [{title: Leverage 4}, {after: 1h, state: reminder, title: Leverage 5}, {after: 90m, state: resolved, title: Leverage 1}]}
  - name: a digest of a channel that only the test has
    topic: portfolio-updates
    at: 2026-11-23T10:00:00Z
    channels: {desk: {digest: {window: 10s}}, mail: {pace: {rate: 6/m}}}
    event: {leverage: 4}
    repeat: {times: 3, over: 3s, vary: {account: [A, B, C]}}
    messages: {desk: 3, mail: [{after: 0s}, {after: 10s}, {after: 20s}]}
  - name: the clock stops
    topic: portfolio-updates
    at: 2026-11-23T10:00:00Z
    within: 2h
    event: {leverage: 4, account: A}
    messages: {desk: 3}
  - name: expired and quiet
    topic: trade-executions
    at: 2026-11-23T16:58:00Z
    events: [{event: {qty: 6, occurred_at: 2026-11-23T16:51:00Z}}, {after: 3m, event: {qty: 6}}]
    messages: {desk: 0}
    suppressed: [{rule: fills, decision: expired, count: 1}, {rule: fills, decision: silenced, count: 1}]
`) {
		if failures != "" {
			t.Errorf("test %d: %s", i, failures)
		}
	}
}

func TestChannelsOfAFileHoldForItsTests(t *testing.T) {
	for i, failures := range sent(t, `
channels: {desk: {digest: {window: 10s}, edits: true}, other: {}}
tests:
  - name: the channel of the file
    topic: trade-executions
    at: 2026-11-23T10:00:00Z
    event: {qty: 6}
    events: [{repeat: {times: 3, over: 3s, vary: {symbol: [A, B, C]}}}, {after: 12s, repeat: {times: 3, over: 3s, vary: {symbol: [D, E, F]}}}]
    messages: {desk: [{after: 0s, edit: false}, {after: 10s, edit: false, members: 2}, {after: 30s, edit: true, members: 3}]}
  - name: one of the test
    topic: trade-executions
    at: 2026-11-23T10:00:00Z
    channels: {desk: {pace: {rate: 1/m}}}
    event: {qty: 6}
    repeat: {times: 2, vary: {symbol: [A, B]}}
    messages: {desk: [{}, {after: 1m, members: 1}], other: 0}
`) {
		if failures != "" {
			t.Errorf("test %d: %s", i, failures)
		}
	}
}

func TestDifferentMessagesAreShown(t *testing.T) {
	got := sent(t, `
tests:
  - name: a number
    topic: portfolio-updates
    at: 2026-11-23T10:00:00Z
    channels: {desk: {digest: on}}
    events: [{event: {account: A, leverage: 4}}, {after: 1s, event: {account: A, leverage: 5}}, {after: 62m, event: {account: A, leverage: 1}}]
    messages: {desk: 1}
  - name: values
    topic: portfolio-updates
    at: 2026-11-23T10:00:00Z
    event: {account: A, leverage: 4}
    messages: {desk: [{after: 1s, severity: info, state: resolved, members: 2, edit: true, title: t, text: x}]}
    suppressed: [{rule: limits, decision: throttled}, {rule: limits, decision: digested, channel: desk, count: 2}]
  - {name: late, topic: portfolio-updates, at: 2026-11-23T10:00:00Z, channels: {desk: {pace: {rate: 1/m}}}, event: {leverage: 4}, repeat: {times: 2, vary: {account: [A, B]}}, messages: {desk: [{}, {by: 59s}]}}
  - {name: no channel, topic: portfolio-updates, event: {leverage: 4}, messages: {desc: 1}}
`)
	want := []string{
		`desk: 3 messages, expected 1
after 0s: warning Leverage 4
after 1h: warning reminder Leverage 5
after 1h2m: warning resolved Leverage 1`,
		`desk: message 1: after is 0s, expected 1s
desk: message 1: severity is warning, expected info
desk: message 1: state is firing, expected resolved
desk: message 1: members is 1, expected 2
desk: message 1: edit is false, expected true
desk: message 1: title is "Leverage 4", expected "t"
desk: message 1: text has no "x": "limits · 23 Nov 10:00:00 UTC"
suppressed: limits is throttled 0 times, expected at least 1
suppressed: limits is digested in desk 0 times, expected 2`,
		"desk: message 2: after is 1m, expected by 59s",
		"messages: there is no channel desc; did you mean desk?",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n\n"), strings.Join(want, "\n\n"))
	}
}

func TestFaultsOfMessagesHavePlaces(t *testing.T) {
	_, faults := ruletest.Parse("t.yaml", []byte(`
tests:
  - name: a
    topic: trade-executions
    event: {qty: 6}
    within: -1s
    messages: {desk: many, mail: -1, hook: [{severity: high, state: open}]}
    suppressed: [{decision: lost}]
`), false)
	const want = `t.yaml:6:13: tests[0].within: is negative
t.yaml:7:22: tests[0].messages.desk: "many" is neither a number of messages nor a list of them
t.yaml:7:34: tests[0].messages.mail: "-1" is neither a number of messages nor a list of them
t.yaml:7:56: tests[0].messages.hook[0].severity: "high" is not one of info, warning and critical
t.yaml:7:69: tests[0].messages.hook[0].state: "open" is not one of firing, resolved and reminder
t.yaml:8:18: tests[0].suppressed[0].rule: is missing
t.yaml:8:29: tests[0].suppressed[0].decision: "lost" is not one of throttled, digested, silenced, expired`
	if got := faults.Error(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
