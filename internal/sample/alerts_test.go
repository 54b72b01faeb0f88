package sample

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// condition is what one of the default rules asks of an event, spelled in Go:
// the story is written for these, whatever language the rules are in.
type condition struct {
	rule     string
	topic    topics.Name
	when     func(doc) bool
	key      []string
	throttle time.Duration
}

type doc map[string]any

func (d doc) is(types ...string) bool { return slices.Contains(types, fmt.Sprint(d["event_type"])) }

// num reads a number or a decimal text; NaN when there is none.
func (d doc) num(name string) float64 {
	switch v := d[name].(type) {
	case float64:
		return v
	case string:
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return f
		}
	}
	return math.NaN()
}

func (d doc) in(name string) doc {
	inner, _ := d[name].(map[string]any)
	return inner
}

func (d doc) heavy() bool {
	positions, _ := d["positions"].([]any)
	return slices.ContainsFunc(positions, func(p any) bool { return doc(p.(map[string]any)).num("weight") > 0.15 })
}

var conditions = []condition{
	{"order-rejected", topics.TradeExecutions, func(d doc) bool { return d.is("order.rejected", "order.denied") }, []string{"account_id", "reject_code"}, 5 * time.Minute},
	{"large-fill", topics.TradeExecutions, func(d doc) bool {
		return d.is("order.filled", "order.partially_filled") && d.num("notional") >= 50_000
	}, []string{"account_id", "symbol"}, time.Minute},
	{"slippage", topics.TradeExecutions, func(d doc) bool { return d.num("slippage_bps") > 5 }, []string{"strategy_id", "symbol"}, 10 * time.Minute},
	{"trade-busted", topics.TradeExecutions, func(d doc) bool { return d.is("trade.corrected", "trade.busted") }, []string{"account_id"}, 0},
	{"drawdown", topics.PortfolioUpdates, func(d doc) bool { return d.num("drawdown") >= 0.05 }, []string{"account_id"}, time.Hour},
	{"daily-loss-limit", topics.PortfolioUpdates, func(d doc) bool { return d.num("day_pnl") <= -10_000 || d.num("day_return") <= -0.02 }, []string{"account_id"}, 24 * time.Hour},
	{"margin-call", topics.PortfolioUpdates, func(d doc) bool { return d.is("margin.call", "margin.liquidation") || d.num("margin_ratio") >= 0.9 }, []string{"account_id"}, 15 * time.Minute},
	{"position-limit", topics.PortfolioUpdates, func(d doc) bool { return d.heavy() || d.num("leverage") > 3 }, []string{"account_id"}, 30 * time.Minute},
	{"risk-breach", topics.PortfolioUpdates, func(d doc) bool { return d.is("risk.limit_breached") }, []string{"account_id", "limit"}, 15 * time.Minute},
	{"account-restricted", topics.PortfolioUpdates, func(d doc) bool { return d.is("account.restricted") }, []string{"account_id"}, 0},
	{"forward-test-failed", topics.ForwardTestEvents, func(d doc) bool { return d.is("forward_test.failed", "strategy.halted") }, []string{"forward_test_id"}, 0},
	{"forward-test-completed", topics.ForwardTestEvents, func(d doc) bool { return d.is("forward_test.completed") }, []string{"user_id"}, 0},
	{"forward-test-diverging", topics.ForwardTestEvents, func(d doc) bool {
		return d.in("metrics").num("trades") >= 30 &&
			(math.Abs(d.in("divergence").num("z_score")) > 2.5 || d.in("metrics").num("sharpe") < d.in("baseline").num("sharpe")/2)
	}, []string{"forward_test_id"}, 24 * time.Hour},
}

// alert is one line on the terminal.
type alert struct {
	at   time.Duration
	rule string
	doc  doc
}

// alerts returns what a desk sees of the records, and how many were poison.
func alerts(records []Record) (lines []alert, poison int) {
	silent := map[string]time.Duration{}
	for _, r := range records {
		d := doc(fields(r))
		if d == nil {
			poison++
			continue
		}
		for _, c := range conditions {
			live := d["mode"] == "live" && d["reconciliation"] != true || c.topic == topics.ForwardTestEvents
			if c.topic != r.Topic || !live || !c.when(d) {
				continue
			}
			id := c.rule
			for _, part := range c.key {
				id += fmt.Sprint("/", d[part])
			}
			if until, ok := silent[id]; ok && r.At < until {
				continue
			}
			silent[id] = r.At + c.throttle
			lines = append(lines, alert{r.At, c.rule, d})
		}
	}
	return lines, poison
}

func TestEveryDefaultRuleFiresInTheFirstMinute(t *testing.T) {
	for seed := range uint64(5) {
		lines, poison := alerts(until(NewStory(seed, morning, 40), time.Minute))
		fired := map[string]int{}
		for _, line := range lines {
			fired[line.rule]++
		}
		for _, c := range conditions {
			if fired[c.rule] == 0 {
				t.Errorf("seed %d: %s does not fire", seed, c.rule)
			}
		}
		if lines[0].at > 3*time.Second {
			t.Errorf("seed %d: the first alert comes after %v", seed, lines[0].at)
		}
		if len(lines) < 25 || len(lines) > 30 {
			t.Errorf("seed %d: %d alerts in the first minute, want 25 to 30", seed, len(lines))
		}
		if poison != 3 {
			t.Errorf("seed %d: %d records are poison, want 3", seed, poison)
		}
		if seed == 1 {
			for _, line := range lines {
				t.Logf("%6.2f %-22s %v %v", line.at.Seconds(), line.rule, line.doc["account_id"], line.doc["symbol"])
			}
		}
	}
}

func TestTheStoryStaysWorthWatching(t *testing.T) {
	const minutes = 20
	lines, poison := alerts(until(NewStory(1, morning, 2), minutes*time.Minute))
	perMinute, last := make([]int, minutes), time.Duration(0)
	fired := map[string]bool{}
	for _, line := range lines {
		perMinute[line.at/time.Minute]++
		if gap := line.at - last; gap > 15*time.Second {
			t.Errorf("nothing for %v until %v", gap, line.at)
		}
		last = line.at
		if line.at > minutes*time.Minute/2 {
			fired[line.rule] = true
		}
	}
	for i, n := range perMinute {
		if n < 10 || n > 30 {
			t.Errorf("minute %d has %d alerts", i, n)
		}
	}
	if len(fired) != len(conditions) {
		t.Errorf("in the second half only %d rules fire", len(fired))
	}
	if poison < minutes {
		t.Errorf("%d records are poison in %d minutes", poison, minutes)
	}
}

func TestTheCalmAlertsNobody(t *testing.T) {
	for _, line := range first(alerts(until(NewStory(4, morning, 400), 90*time.Second))) {
		if account, _ := line.doc["account_id"].(string); account >= "ACC-2" {
			t.Errorf("%s fires on %v", line.rule, line.doc)
		}
		if id, _ := line.doc["forward_test_id"].(string); id >= "ft-21" && id < "ft-22" {
			t.Errorf("%s fires on %v", line.rule, line.doc)
		}
	}
}

func first[A, B any](a A, _ B) A { return a }
