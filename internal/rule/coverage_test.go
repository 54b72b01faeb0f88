package rule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

const covered = `
version: 1
calendars: {overnight: {times: ["17:00-06:30"]}}
routes: {desk: {critical: [a], warning: [a], quiet: {during: overnight, severity: [warning], do: reroute, to: [b]}}}
defaults: {trade-executions: {where: event.mode != "paper"}}
rules:
  - name: limits
    topic: trade-executions
    when: (event.x > 5 or event.y > 5 or any(event.list, .v > 5)) and event.symbol != nil
    clear: event.state == "over" or event.x < 1 and (event.y < 1 or event.y == nil)
    severity: 'event.x > 9 ? "critical" : event.y > 9 ? "critical" : "warning"'
    key: [event.symbol]
    to: [desk]
    title: t
  - {name: plain, topic: [trade-executions, portfolio-updates], when: event.plain == true, where: true, to: [a], title: t}
`

// taken returns the branches of the rules that some events take, as lines.
func taken(t *testing.T, events ...string) string {
	t.Helper()
	set, faults := rule.Compile("rules.yaml", []byte(covered), rule.Environment{})
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	c := rule.NewCoverage(set)
	decoder := event.NewDecoder(nil, nil, nil)
	for _, text := range events {
		ev, err := decoder.Decode(event.Record{Topic: "trade-executions", Value: []byte(text), Time: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		c.Note(&ev, ev.Time)
	}
	var b strings.Builder
	for _, branch := range c.Branches() {
		fmt.Fprintf(&b, "%d %s %s\n", branch.Events, branch.Rule, branch.Text)
	}
	return b.String()
}

func TestCoverageCountsTheBranchesOfEachRule(t *testing.T) {
	got := taken(t,
		`{"x": 6, "y": 6, "symbol": "A"}`, // the first alternative
		`{"y": 10, "symbol": "A"}`,        // the second
		`{"x": 10, "symbol": "A"}`,        // the first, critical
		`{"list": [{"v": 6}], "symbol": "A", "occurred_at": "2026-11-23T18:00:00Z"}`, // the third, at night
		`{"x": 6}`, // no symbol
		`{"x": 6, "symbol": "A", "mode": "paper"}`,
		`{"state": "over", "x": 0}`,
		`{"x": 0, "symbol": "A"}`,
		`{"state": "over", "mode": "paper"}`,
		`{"plain": true, "mode": "paper"}`,
	)
	const want = `4 limits fires
2 limits fires if event.x > 5
1 limits fires if event.y > 5
1 limits fires if any(event.list, .v > 5)
1 limits critical if event.x > 9
1 limits critical if event.y > 9
2 limits warning otherwise
1 limits where is false
2 limits is resolved
1 limits is resolved if event.state == "over"
1 limits is resolved if event.x < 1 and (event.y < 1 or event.y == nil)
0 limits is resolved if event.y < 1
1 limits is resolved if event.y == nil
1 limits in the quiet hours overnight
1 limits outside the quiet hours overnight
1 plain fires
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
