package rule_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
)

// warnings compiles a rule with extra lines and returns its warnings without their
// places.
func warnings(t *testing.T, topic, when, extra string, samples []rule.Sample) []string {
	t.Helper()
	file := fmt.Sprintf("version: 1\nvars: {night: yes, window: 10m, large: 50000, filled: [order.filled, order.filed]}\nrules:\n"+
		"  - name: r\n    topic: %s\n    when: %q\n    to: [desk]\n    title: t\n%s", topic, when, extra)
	_, faults := rule.Compile("r.yaml", []byte(file), rule.Environment{Samples: samples})
	if len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	var messages []string
	for _, f := range faults {
		if !strings.HasPrefix(f.Message, "no rule uses vars.") { // of the variables above
			messages = append(messages, f.Message)
		}
	}
	return messages
}

// TestConditionsThatNeverHoldAreWarnedOf names the field, its type and the remedy.
func TestConditionsThatNeverHoldAreWarnedOf(t *testing.T) {
	const trades, portfolios = "trade-executions", "portfolio-updates"
	all := samples(t)
	for _, c := range []struct{ topic, when, want string }{
		// conditions that are no boolean
		{trades, `vars.night and event.last_qty > 5`, `vars.night is never true: vars.night is a text, such as "yes"; write true or false`},
		{trades, `event.side`, `event.side is never true: event.side is a text in the samples, such as "buy"; compare it, such as event.side == "buy"`},
		{trades, `not event.slippage_bps or event.side == "buy"`, `event.slippage_bps is never true: event.slippage_bps is a number in the samples, such as 1.58; compare it, such as event.slippage_bps > 0`},
		{portfolios, `event.positions ? true : false`, `event.positions is never true: event.positions is a list in the samples; write any(event.positions, …) or len(event.positions) > 0`},
		{portfolios, `event.limit or event.drawdown > 1`, `event.limit is never true: event.limit is an object in the samples; write has(event.limit)`},
		{portfolios, `any(event.positions, .symbol)`, `.symbol is never true: .symbol is a text in the samples, such as "AAPL"; compare it, such as .symbol == "AAPL"`},
		// comparisons
		{trades, `event.last_qty / 0 > 1`, `event.last_qty / 0 > 1 is always false: event.last_qty / 0 has no result in any sample, such as a division by zero`},
		{trades, `not event.slippage_bps > 5`, `not is read before >: write event.slippage_bps <= 5, or not (…)`},
		{trades, `event.side == "buy" or "sell"`, `"sell" is never true by itself: write event.side in ["buy", "sell"]`},
		{trades, `event.side > 5`, `event.side > 5 is always false: event.side is a text in the samples, such as "buy", and 5 is a number; compare it with a text`},
		{trades, `event.last_qty > "1k"`, `event.last_qty > "1k" is always false: event.last_qty is a text in the samples, such as "1000", and "1k" is a text; compare it with a number`},
		{trades, `event.slippage_bps == "high"`, `event.slippage_bps == "high" is always false: event.slippage_bps is a number in the samples, such as 1.58, and "high" is a text; compare it with a number`},
		{trades, `event.side != 1`, `event.side != 1 is always true: event.side is a text in the samples, such as "buy", and 1 is a number; compare it with a text`},
		{trades, `has(event.side) == "true"`, `has(event.side) == "true" is always false: has(event.side) is a boolean in the samples, such as true, and "true" is a text; write true or false without quotes`},
		{trades, `event.occurred_at > 1795444265`, `event.occurred_at > 1795444265 is always false: event.occurred_at is a text in the samples, such as "2026-11-23T14:31:05.123456Z", and 1795444265 is a number; write age(event.occurred_at), in seconds`},
		{trades, `age(event.occurred_at) > vars.window`, `age(event.occurred_at) > vars.window is always false: age(event.occurred_at) is a number in the samples, such as 0, and vars.window is a text, such as "10m"; write seconds as a number`},
		{trades, `event.symbol in "AAPL,MSFT"`, `event.symbol in "AAPL,MSFT" is always false: event.symbol is a text in the samples, such as "AAPL", and "AAPL,MSFT" is a text; write "AAPL,MSFT" contains event.symbol`},
		{trades, `event.latency_ms in ["a", "b"]`, `event.latency_ms in ["a", "b"] is always false: event.latency_ms is a number in the samples, such as 12, and ["a", "b"] is a list; write a list of values of that type`},
		{trades, `event.latency_ms contains "4"`, `event.latency_ms contains "4" is always false: event.latency_ms is a number in the samples, such as 12, and "4" is a text; compare numbers with == < <= > >=`},
		{portfolios, `event.positions contains "AAPL"`, `event.positions contains "AAPL" is always false: event.positions is a list in the samples, and "AAPL" is a text; write "AAPL" in event.positions`},
		{portfolios, `event.positions == "AAPL"`, `event.positions == "AAPL" is always false: event.positions is a list in the samples, and "AAPL" is a text; write any(event.positions, # == "AAPL")`},
		{portfolios, `event.limit > 1`, `event.limit > 1 is always false: event.limit is an object in the samples, and 1 is a number; write the name of a member`},
		{portfolios, `any(event.positions, .symbol > 0.15)`, `.symbol > 0.15 is always false: .symbol is a text in the samples, such as "AAPL", and 0.15 is a number; compare it with a text`},
		{portfolios, `"AAPL" in event.positions`, `"AAPL" in event.positions is always false: "AAPL" is a text, and event.positions is a list in the samples; write any(event.positions, …)`},
		// operands and arguments
		{trades, `event.side * 2 > 1`, `the operator * takes a number: event.side is a text in the samples, such as "buy"`},
		{trades, `-event.side < 1`, `the operator - takes a number: event.side is a text in the samples, such as "buy"`},
		{trades, `event.latency_ms + event.side == "x"`, `event.latency_ms + event.side has no result: event.latency_ms is a number in the samples, such as 12, and event.side is a text in the samples, such as "buy"; to join them, put a text between them: + "/" +`},
		{trades, `num(event.side) > 1`, `num() takes a number: event.side is a text in the samples, such as "buy"`},
		{trades, `bps(event.avg_price, event.venue) > 1`, `bps() takes a number: event.venue is a text in the samples, such as "XNAS"`},
		{trades, `age(event.venue) > 1`, `age() takes a time: event.venue is a text in the samples, such as "XNAS"`},
		{trades, `lower(event.latency_ms) == "1"`, `lower() takes a text: event.latency_ms is a number in the samples, such as 12`},
		{trades, `any(event.symbol, # == "AAPL")`, `any() takes a list: event.symbol is a text in the samples, such as "AAPL"`},
		{trades, `len(event.latency_ms) > 1`, `len() takes a text or a list: event.latency_ms is a number in the samples, such as 12`},
		{portfolios, `sum(event.positions, .symbol) > 1`, `sum() takes a number: .symbol is a text in the samples, such as "AAPL"`},
		// members and indexes
		{portfolios, `any(filter(event.positions, .weight > 0), .symbl == "AAPL")`, `.symbl is in no sample: did you mean symbol?`},
		{portfolios, `event.positions[0].weigth > 1`, `event.positions[0].weigth is in no sample: did you mean weight?`},
		{portfolios, `event.positions.symbol == "AAPL"`, `event.positions is a list in the samples: write any(event.positions, .symbol …) or event.positions[0].symbol`},
		{trades, `event.symbol.name == "AAPL"`, `event.symbol is a text in the samples, such as "AAPL": it has no member name`},
		{trades, `event.symbol[0] == "A"`, `[…] takes a list or an object: event.symbol is a text in the samples, such as "AAPL"`},
		{trades, `event.a.b.c == 1 or event.a.b.d == 2`, `event.a is in no sample of trade-executions`},
		{trades, `5 < event.side`, `5 < event.side is always false: 5 is a number, and event.side is a text in the samples, such as "buy"; compare it with a text`},
		// what holds because a field is missing
		{portfolios, `all(event.positions, .weight < 0.5)`, `all() is true without event.positions, as in the sample account.restricted: write len(event.positions) > 0 and all(event.positions, …)`},
		{portfolios, `event.mode == "live" and none(event.positions, .weight > 0.5)`, `none() is true without event.positions, as in the sample account.restricted: write len(event.positions) > 0 and none(event.positions, …)`},
		{portfolios, `not (event.drawdown > 0.05)`, `not (event.drawdown > 0.05) is true without event.drawdown, as in the sample account.restricted: write event.drawdown <= 0.05`},
		// texts that no sample has
		{trades, `event.event_type == "order.filed"`, `"order.filed" is the event type of no sample of trade-executions: did you mean "order.filled"?`},
		{trades, `event.event_type in vars.filled`, `"order.filed" is the event type of no sample of trade-executions: did you mean "order.filled"?`},
		{trades, `"fill" == meta.type`, `"fill" is the event type of no sample of trade-executions`},
		{trades, `event.event_type in ["order.filled", "ORDER.REJECTED"]`, `"ORDER.REJECTED" is in no sample: event.event_type is "order.rejected", and case matters`},
		{trades, `event.event_type startsWith "orders."`, `event.event_type startsWith "orders." is true for no event type in the samples of trade-executions`},
		{trades, `event.event_type matches "^fill"`, `event.event_type matches "^fill" is true for no event type in the samples of trade-executions`},
		{trades, `event.side == "BUY"`, `"BUY" is in no sample: event.side is "buy", and case matters`},
		{trades, `upper(event.side) == "buy"`, `upper(event.side) has no small letters: write "BUY" instead of "buy"`},
	} {
		got := warnings(t, c.topic, c.when, "", all)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.when, strings.Join(got, "\n     "), c.want)
		}
	}
}

func TestConditionsThatMayHoldAreNotWarnedOf(t *testing.T) {
	all := samples(t)
	for when, topic := range map[string]string{
		`true`: "trade-executions", `event.notional >= vars.large`: "trade-executions", `event.side == "hold"`: "trade-executions", `event.symbol in ["BRK.B", "700"]`: "trade-executions",
		`event.reconciliation != true and event.trace_id == nil`: "trade-executions", `event.last_qty == 200 or event.last_qty == "200"`: "trade-executions", `event.occurred_at < "2027-01-01"`: "trade-executions",
		`(event.reject_code ?? "none") == "X"`: "trade-executions", `event.reason contains "margin" or lower(event.venue) startsWith "x"`: "trade-executions",
		`event.account_id + "/" + event.symbol == "A/B" or event.symbol + event.venue == "x"`: "trade-executions", `meta.partition == 3 and meta.key == "k" and meta.headers.h == "x" and ce.id == "x"`: "trade-executions",
		`len(event.positions) > 0 and all(event.positions, .weight < 0.5)`: "portfolio-updates", `event.event_type == "position.opened" or len(event.positions) > 1 and none(event.positions, .weight > 1)`: "portfolio-updates",
		`has(event.drawdown) and not (event.drawdown > 0.05)`: "portfolio-updates", `count(event.positions, .weight > 0.1) > 3 and sum(event.positions, .market_value) > 5`: "portfolio-updates",
		`any(event.positions, any(event.positions, .weight > 1) and .symbol == "X")`: "portfolio-updates", `min(event.equity, 5) > 1 and max(map(event.positions, .weight)) > 1`: "portfolio-updates",
		`event.event_type startsWith "margin." and age(event.occurred_at) > 60`: "portfolio-updates", `event.limit.name == "x" and event.limit != nil`: "portfolio-updates",
	} {
		if got := warnings(t, topic, when, "", all); len(got) > 0 {
			t.Errorf("%s: %s", when, strings.Join(got, "\n"))
		}
	}
}

func TestKeysAndTextsWithoutValueAreWarnedOf(t *testing.T) {
	all := samples(t)
	const when = `event.event_type == "order.filled"`
	for extra, want := range map[string]string{
		"    key: [event.latency_ms + event.symbol]":               `event.latency_ms + event.symbol has no result: event.latency_ms is a number in the samples, such as 12, and event.symbol is a text in the samples, such as "AAPL"; to join them, put a text between them: + "/" +`,
		"    key: [event.order_qty + event.last_qty]":              `event.order_qty + event.last_qty adds two numbers: write them as two parts of the key`,
		"    key: [event.reject_code]":                             `event.reject_code is missing in every sample that the rule matches: these alerts share one key`,
		"    key: ['clock(meta.time, \"YYYY-MM-DD\")']":            `clock() prints "YYYY-MM-DD" for every time: write the layout as 2006-01-02 15:04:05 MST`,
		"    key: [event.symbl]":                                   `event.symbl is in no sample: did you mean symbol?`,
		"    text: '{{ event.reject_code }}'":                      `{{ event.reject_code }} is empty in every sample that the rule matches`,
		"    text: '{{ money(event.side) }}'":                      `money() takes a number: event.side is a text in the samples, such as "buy"`,
		"    fields: [event.leaves_qty / 0]":                       `{{ event.leaves_qty / 0 }} is empty in every sample that the rule matches`,
		"    severity: 'event.side > 5 ? \"info\" : \"critical\"'": `event.side > 5 is always false: event.side is a text in the samples, such as "buy", and 5 is a number; compare it with a text`,
		"    where: event.side":                                    `event.side is never true: event.side is a text in the samples, such as "buy"; compare it, such as event.side == "buy"`,
	} {
		if got := warnings(t, "trade-executions", when, extra, all); len(got) != 1 || got[0] != want {
			t.Errorf("%s:\n got %s\nwant %s", extra, strings.Join(got, "\n     "), want)
		}
	}
}

func TestLongConditionIsChecked(t *testing.T) {
	term := `event.symbol == "X" and event.last_qty > 5 or `
	long := warnings(t, "trade-executions", strings.Repeat(term, 700)+"event.side > 5", "", samples(t))
	if len(long) != 1 || !strings.HasPrefix(long[0], "event.side > 5 is always false") {
		t.Errorf("%q", long)
	}
}

// TestUnknownFieldIsOneWarningPerRule, however often the rule reads it.
func TestUnknownFieldIsOneWarningPerRule(t *testing.T) {
	got := warnings(t, "trade-executions", "event.pnl > 5", "    key: [event.pnl]\n    text: '{{ event.pnl }} {{ money(event.pnl) }}'\n    fields: [event.pnl]\n", samples(t))
	if want := "event.pnl is in no sample of trade-executions"; len(got) != 1 || got[0] != want {
		t.Errorf("%q", got)
	}
}

func TestDefaultRulesHaveNoWarningWithoutSamples(t *testing.T) {
	if _, faults := rule.Compile("rules.yaml", configs.Rules, rule.Environment{}); len(faults) > 0 {
		t.Error(faults)
	}
}

// TestTopicWithoutSamplesIsOneWarning: its fields are unknown, not wrong.
func TestTopicWithoutSamplesIsOneWarning(t *testing.T) {
	e, err := event.NewDecoder(nil, nil, nil).Decode(record(`{"symbol":"AAPL"}`))
	if err != nil {
		t.Fatal(err)
	}
	own := []rule.Sample{{Name: "fill", Event: e}}
	got := warnings(t, "[portfolio-updates, trade-executions]", `event.a > 1 and event.b == "c" and vars.night`, "    text: '{{ event.d }} {{ event.e }}'\n", own)
	want := []string{"portfolio-updates has no sample event: fields and types of its rules are not checked", `vars.night is never true: vars.night is a text, such as "yes"; write true or false`}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", got)
	}
}
