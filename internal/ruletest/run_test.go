package ruletest_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/backtest"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/ruletest"
)

// channels are those of the shipped configuration.
var channels = map[string]backtest.Channel{
	"desk": {Config: dispatch.Config{Concurrency: 1, Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Partitions: 1}},
}

const rules = `
version: 1
vars: {min: 5}
defaults: {trade-executions: {where: event.mode != "paper"}}
rules:
  - {name: fills, topic: trade-executions, when: 'event.last_qty > vars.min and event.tags.desk in ["a", "b"]', key: [event.symbol, event.reject_code], to: [desk], title: "{{ event.symbol }}", text: "{{ ago(event.occurred_at) }}"}
  - {name: old, topic: trade-executions, when: age(event.occurred_at) > 60, to: [desk], title: t}
`

// run runs the tests in a file and returns what differs in each.
func run(t *testing.T, file string) [][]string {
	t.Helper()
	set, faults := rule.Compile("rules.yaml", []byte(rules), rule.Environment{})
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	tests, faults := ruletest.Parse("rules.test.yaml", []byte(file), false)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	env := ruletest.New(ruletest.Params{Rules: set, Samples: configs.Samples()})
	failures := make([][]string, len(tests))
	for i, test := range tests {
		failures[i] = env.Run(test).Failures
	}
	return failures
}

func TestTestsPassWhenAllAlertsAreExpected(t *testing.T) {
	for i, failures := range run(t, `
tests:
  - {name: members of a sample are replaced, topic: trade-executions, sample: order.filled, event: {last_qty: "6", tags: {desk: a}}, expect: [{rule: fills, key: [AAPL, ""]}]}
  - {name: a key as one text, topic: trade-executions, sample: order.filled, event: {reject_code: R, tags: {desk: b}}, expect: [{rule: fills, key: AAPL/R, severity: warning}]}
  - {name: the whole event, topic: trade-executions, event: {last_qty: 6, symbol: "x\"\\\u0000", tags: {desk: a}}, expect: [{rule: fills, title: "x\"\\\u0000"}]}
  - {name: at a later time, at: 2026-11-23T14:33:05Z, topic: trade-executions, event: {last_qty: 6, tags: {desk: a}, occurred_at: 2026-11-23T14:31:05Z}, expect: [{rule: old}, {rule: fills, text: 2 m ago}]}
  - {name: numbers of YAML, topic: trade-executions, event: {last_qty: +6, a: .5, b: 007, c: -7., tags: {desk: a}}, expect: [{rule: fills}]}
  - {name: null removes, topic: trade-executions, sample: order.filled, event: {last_qty: null, tags: {desk: a}}, expect: []}
  - {name: a default where, topic: trade-executions, sample: order.filled, event: {mode: paper, tags: {desk: a}}, expect: []}
  - {name: another topic, topic: portfolio-updates, sample: margin.call, expect: []}
`) {
		if len(failures) > 0 {
			t.Errorf("test %d: %s", i, strings.Join(failures, "\n"))
		}
	}
}

func TestFailedTestsSayWhy(t *testing.T) {
	got := run(t, `
tests:
  - {name: a, topic: trade-executions, sample: order.filled, event: {last_qty: 5}, expect: [{rule: fills}]}
  - {name: b, topic: trade-executions, sample: order.filled, expect: [{rule: fills}]}
  - {name: c, topic: trade-executions, sample: order.filled, event: {mode: paper, tags: {desk: a}}, expect: [{rule: fills}]}
  - {name: d, topic: portfolio-updates, sample: margin.call, expect: [{rule: fills}, {rule: fil}]}
  - {name: e, topic: trade-executions, sample: order.filled, event: {tags: {desk: a}}, expect: [{rule: fills}, {rule: fills}]}
  - {name: f, topic: trade-executions, sample: order.filled, event: {tags: {desk: a}}, expect: []}
  - {name: g, topic: trade-executions, sample: order.filed, expect: []}
`)
	for i, want := range [][]string{
		{"fills is not raised: its when is false: event.last_qty > vars.min, where event.last_qty is 5 and vars.min is 5"},
		{`fills is not raised: its when is false: event.tags.desk in ["a", "b"], where event.tags.desk is missing`},
		{`fills is not raised: its where is false: event.mode != "paper", where event.mode is "paper"`},
		{"fills is not raised: it is of trade-executions, the event of portfolio-updates", "fil is not raised: there is no such rule; did you mean fills?"},
		{"fills is not raised: it is expected more than once"},
		{`fills is raised, but not expected: {rule: fills, severity: warning, key: ["AAPL", ""], to: [desk], title: "AAPL"}`},
		{`trade-executions has no sample "order.filed": did you mean order.filled?`},
	} {
		if !slices.Equal(got[i], want) {
			t.Errorf("test %d: %q, want %q", i, got[i], want)
		}
	}
}

// TestDocumentedTestsPass runs the examples of docs/rules.md on the rules of the page, and
// those of docs/rules-test.md on the shipped rules.
func TestDocumentedTestsPass(t *testing.T) {
	blocks := func(page, first string) (found [][]byte) {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "```yaml\n")[1:] {
			if block, _, _ = strings.Cut(block, "```"); strings.HasPrefix(block, first) {
				found = append(found, []byte(block))
			}
		}
		return found
	}
	pages := []struct {
		name  string
		rules []byte
	}{{"rules.md", blocks("rules.md", "version: 1")[0]}, {"rules-test.md", configs.Rules}}
	for _, page := range pages {
		set, faults := rule.Compile("rules", page.rules, rule.Environment{Channels: []string{"desk", "desk-slack"}})
		env := ruletest.New(ruletest.Params{Rules: set, Samples: configs.Samples(), Channels: channels})
		count := 0
		for _, block := range blocks(page.name, "tests:") {
			tests, more := ruletest.Parse(page.name, block, false)
			if faults = append(faults, more...); len(faults) > 0 {
				t.Fatal(faults)
			}
			for _, test := range tests {
				count++
				if r := env.Run(test); len(r.Failures) > 0 {
					t.Errorf("%s: %s: %s", page.name, r.Name, strings.Join(r.Failures, "\n"))
				}
			}
		}
		if count == 0 {
			t.Errorf("%s has no tests", page.name)
		}
	}
}

// TestShippedRulesPassTheirTests, which take every branch of the rules.
func TestShippedRulesPassTheirTests(t *testing.T) {
	set, faults := rule.Compile("rules.yaml", configs.Rules, rule.Environment{})
	tests, more := ruletest.Parse("rules.test.yaml", configs.RuleTests, false)
	if len(faults)+len(more) > 0 {
		t.Fatal(faults, more)
	}
	env := ruletest.New(ruletest.Params{Rules: set, Samples: configs.Samples()})
	var results []ruletest.Result
	for _, test := range tests {
		r := env.Run(test)
		if len(r.Failures) > 0 {
			t.Errorf("%s: %s", r.Name, strings.Join(r.Failures, "\n"))
		}
		results = append(results, r)
	}
	for _, b := range env.Branches() {
		if b.Events == 0 {
			t.Errorf("no event of the tests takes this branch of %s: %s", b.Rule, b.Text)
		}
	}
	if names := ruletest.Untested(set, results); len(names) > 0 {
		t.Errorf("no test expects %v", names)
	}
	if names := ruletest.Untested(set, results[1:2]); len(names) != len(set.Rules())-1 {
		t.Errorf("one test leaves %v untested", names)
	}
}

// TestQuietHoursDecideByTimeOfEvent: to names the channels that get a record, channels those
// that are told.
func TestQuietHoursDecideByTimeOfEvent(t *testing.T) {
	const quiet = `
version: 1
calendars: {overnight: {times: ["17:00-06:30"]}}
routes:
  desk: {warning: [slack], info: [slack], quiet: {during: overnight, severity: [warning], do: reroute, to: [mail]}}
  risk: {warning: [hook], quiet: {during: overnight, severity: [warning], do: drop}}
rules:
  - {name: fills, topic: trade-executions, when: event.qty > 5, to: [desk, risk], title: t}
`
	set, faults := rule.Compile("rules.yaml", []byte(quiet), rule.Environment{})
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	tests, faults := ruletest.Parse("rules.test.yaml", []byte(`
tests:
  - {name: by day, topic: trade-executions, event: {qty: 6, occurred_at: 2026-11-23T12:00:00Z}, expect: [{rule: fills, to: [slack, hook], channels: [slack, hook]}]}
  - {name: by night, topic: trade-executions, event: {qty: 6, occurred_at: 2026-11-23T23:00:00Z}, expect: [{rule: fills, to: [mail, hook], channels: [mail]}]}
  - {name: the clock of a test is not the event's, at: 2026-11-23T23:00:00Z, topic: trade-executions, event: {qty: 6, occurred_at: 2026-11-23T12:00:00Z}, expect: [{rule: fills, channels: [hook, slack]}]}
  - {name: an event without a time, at: 2026-11-23T23:00:00Z, topic: trade-executions, event: {qty: 6}, expect: [{rule: fills, channels: [mail]}]}
  - {name: wrong, topic: trade-executions, event: {qty: 6, occurred_at: 2026-11-23T23:00:00Z}, expect: [{rule: fills, channels: [mail, hook]}]}
`), false)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	env := ruletest.New(ruletest.Params{Rules: set})
	for i, test := range tests {
		want := ""
		if i == len(tests)-1 {
			want = "fills: channels is [mail] in the quiet hours overnight, expected [hook, mail]"
		}
		if got := strings.Join(env.Run(test).Failures, "\n"); got != want {
			t.Errorf("%s: %s, want %q", test.Name, got, want)
		}
	}
}
