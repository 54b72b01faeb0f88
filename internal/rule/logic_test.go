package rule_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/rule"
)

const (
	trades     = "trade-executions"
	portfolios = "portfolio-updates"
	forward    = "forward-test-events"
)

func TestConditionsDecidedByConstantsAreWarnedOf(t *testing.T) {
	all := samples(t)
	for _, c := range []struct{ topic, when, want string }{
		// constants
		{trades, `1 > 2`, `1 > 2 is always false: it reads nothing of the event`},
		{trades, `true or event.last_qty > 5`, `true or event.last_qty > 5 is always true, because of true: remove it`},
		{trades, `event.last_qty > 5 and false`, `event.last_qty > 5 and false is always false, because of false: remove it`},
		{trades, `event.last_qty > 5 and "a" == "a"`, `"a" == "a" is always true: it reads nothing of the event`},
		{trades, `event.last_qty > 5 and 60 * 60 in [60, 3600]`, `60 * 60 in [60, 3600] is always true: it reads nothing of the event`},
		{trades, `event.last_qty != event.last_qty`, `event.last_qty != event.last_qty compares event.last_qty with itself`},
		{portfolios, `any(event.positions, .weight > .weight)`, `.weight > .weight compares .weight with itself`},
		{trades, `not true or event.last_qty > 5`, `not true is always false`},
		{trades, `1 > 2 ? event.last_qty > 5 : event.last_qty > 6`, `1 > 2 is always false: write one of its results`},
		// not before an operator
		{trades, `not event.side in ["buy"]`, `not is read before in: write event.side not in ["buy"], or not (…)`},
		{trades, `not event.side == "buy"`, `not is read before ==: write event.side != "buy", or not (…)`},
		{trades, `not event.side contains "buy"`, `not is read before contains: write not (event.side contains "buy")`},
		// contradictions
		{trades, `event.side == "buy" and event.side == "sell"`, `event.side == "buy" and event.side == "sell" are never both true: write or`},
		{trades, `event.last_qty > 5 and (event.symbol != "X" and event.last_qty < 3)`, `event.last_qty > 5 and event.last_qty < 3 are never both true: write or, or exchange the limits`},
		{trades, `event.last_qty >= "5" and 5 > event.last_qty`, `event.last_qty >= "5" and 5 > event.last_qty are never both true: write or, or exchange the limits`},
		{trades, `event.last_qty > "5" and event.last_qty < "3"`, `event.last_qty > "5" and event.last_qty < "3" are never both true: write or, or exchange the limits`},
		{trades, `event.occurred_at >= "2027-01-01" and event.occurred_at < "2026-01-01"`, `event.occurred_at >= "2027-01-01" and event.occurred_at < "2026-01-01" are never both true: write or, or exchange the limits`},
		{trades, `event.notional > 1250000.5 and event.notional < 0.5`, `event.notional > 1250000.5 and event.notional < 0.5 are never both true: write or, or exchange the limits`},
		{trades, `event.notional < -vars.large and event.notional > 0`, `event.notional < -vars.large and event.notional > 0 are never both true: write or, or exchange the limits`},
		{trades, `event.side in ["buy", "sell"] and event.symbol == "X" and event.side == "sell_short"`, `event.side in ["buy", "sell"] and event.side == "sell_short" are never both true: write or`},
		{trades, `event.side not in ["buy", "sell"] and event.side == "buy"`, `event.side not in ["buy", "sell"] and event.side == "buy" are never both true: remove one`},
		{trades, `event.side == "buy" and event.side != "buy"`, `event.side == "buy" and event.side != "buy" are never both true: remove one`},
		{trades, `event.event_type == "order.filled" and event.event_type startsWith "trade."`, `event.event_type == "order.filled" and event.event_type startsWith "trade." are never both true: remove one`},
		{trades, `event.event_type startsWith "order." and event.event_type startsWith "trade."`, `event.event_type startsWith "order." and event.event_type startsWith "trade." are never both true: remove one`},
		{trades, `event.reject_code == nil and event.reject_code == "X"`, `event.reject_code == nil and event.reject_code == "X" are never both true: write or`},
		{trades, `event.reconciliation == true and event.reconciliation == false`, `event.reconciliation == true and event.reconciliation == false are never both true: write or`},
		{portfolios, `any(event.positions, .symbol == "AAPL" and .symbol == "MSFT")`, `.symbol == "AAPL" and .symbol == "MSFT" are never both true: write or`},
		// always true
		{trades, `event.side != "buy" or event.side != "sell"`, `event.side != "buy" or event.side != "sell" is always true: write and`},
		{trades, `event.last_qty > 5 and (event.mode not in ["paper", "backtest"] or event.mode != "live")`, `event.mode not in ["paper", "backtest"] or event.mode != "live" is always true: write and`},
		// letters
		{trades, `event.side matches "^Buy"`, `event.side matches "^Buy" is true for no sample: event.side is "buy", and case matters; write matches "(?i)^Buy"`},
		{trades, `event.side startsWith "Bu"`, `event.side startsWith "Bu" is true for no sample: event.side is "buy", and case matters; write lower(event.side) startsWith "bu"`},
		{trades, `event.event_type endsWith ".Filled"`, `event.event_type endsWith ".Filled" is true for no sample: event.event_type is "order.filled", and case matters; write lower(event.event_type) endsWith ".filled"`},
		{trades, `event.reason contains "Notional"`, `event.reason contains "Notional" is true for no sample: event.reason is "order exceeds the notional limit", and case matters; write lower(event.reason) contains "notional"`},
		{trades, `lower(event.reason) contains "MARGIN"`, `lower(event.reason) has no capital letters: write "margin" instead of "MARGIN"`},
		{trades, `upper(event.side) in ["BUY", "sell"]`, `upper(event.side) has no small letters: write "SELL" instead of "sell"`},
		// elements
		{portfolios, `sum(event.positions) > 5`, `sum() takes a list of numbers: the elements of event.positions are objects in the samples; write sum(event.positions, .qty) or another member`},
		{portfolios, `max(event.positions) > 5`, `max() takes a list of numbers: the elements of event.positions are objects in the samples; write max(map(event.positions, .qty)) or another member`},
		{portfolios, `min(map(event.positions, .symbol)) > 5`, `min() takes a list of numbers: the elements of map(event.positions, .symbol) are texts in the samples, such as "AAPL"`},
		{portfolios, `count(event.positions) > 5`, `count() takes a list of booleans: the elements of event.positions are objects in the samples; write len(event.positions), or a condition as the second argument`},
		{trades, `max(event.side) > 5`, `max() takes a list of numbers: the elements of event.side are texts in the samples, such as "buy"`},
		// attributes and topics
		{trades, `ce.typ == "x"`, `ce.typ is no attribute of CloudEvents: did you mean ce.type?`},
		{trades, `ce.dataContentType == "x"`, `ce.dataContentType is no attribute: their names have only lower-case letters and digits; write ce.datacontenttype`},
		{trades, `ce.data.x == "x"`, `ce.data is no attribute: the data of a CloudEvent is event`},
		{trades, `ce.type == "order.filed"`, `"order.filed" is the event type of no sample of trade-executions: did you mean "order.filled"?`},
		{trades, `meta.topic == "portfolio-updates"`, `meta.topic is never "portfolio-updates": the rule is of trade-executions`},
	} {
		got := warnings(t, c.topic, c.when, "", all)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.when, strings.Join(got, "\n     "), c.want)
		}
	}
}

// rightRules are reasonable conditions, by topic.
var rightRules = map[string][]string{
	trades: {
		`true`, `not event.reconciliation == true`, `not (event.side == "buy")`, `not has(event.reason) or event.reason == "x"`, `vars.large > 5 ? event.notional > vars.large : event.notional > 5`, `vars.large > 5 and event.notional > vars.large`, `event.side == "buy" or event.side == "sell"`, `event.side in ["buy", "sell"] and event.side != "buy"`,
		`event.last_qty > 5 and event.last_qty < 300`, `event.last_qty >= 5 and event.last_qty <= 5`, `event.last_qty < 5 or event.last_qty > 300`, `event.last_qty == 5 and event.last_qty == "5"`,
		`event.last_qty == "200" and event.last_qty > 100`, `event.mode != "paper" and event.mode != "backtest"`, `event.mode not in ["paper", "backtest"] or event.reconciliation != true`, `event.side != "buy" or event.last_qty != 5`,
		`event.side != "buy" or event.side != "buy"`, `event.event_type startsWith "order." and event.event_type endsWith ".filled"`, `event.event_type startsWith "order." and event.event_type startsWith "order.f"`,
		`event.event_type == "order.filled" and not (event.event_type startsWith "trade.")`, `event.event_type contains "fill" and event.event_type contains "order"`, `lower(event.side) == "buy" and upper(event.side) == "BUY"`,
		`event.reason contains "limit" or event.reason matches "(?i)^insufficient"`, `event.order_id matches "^[A-Z0-9-]+$"`, `event.symbol contains "API" or event.symbol startsWith "BRK"`, `event.symbol endsWith ".L"`,
		`event.reject_code == nil or event.reject_code == "RISK"`, `event.reject_code != nil and event.reject_code != "RISK"`, `has(event.reject_code) and event.reject_code in ["RISK", nil]`, `event.last_price > "100.5" and event.last_price < 1e6`,
		`ce.type == "order.filled" or ce.source startsWith "/orders"`, `event.last_qty > "22" and event.last_qty < "6"`, `event.last_qty > "9 USD" and event.last_qty < "5 EUR"`, `event.last_price > "9" and event.last_price < "10"`, `ce.sid == "x" or ce.uid == "y" or ce.sequence == "z" or ce.dataref == "d"`, `ce.type == "com.example.fill" and ce.traceparent != nil and ce.partitionkey == "x" and ce.subject == "s"`, `meta.topic == "trade-executions"`, `meta.topic startsWith "trade"`,
		`(event.side == "buy" and event.last_qty > 5) or (event.side == "sell" and event.last_qty < 3)`, `event.notional > 60 * 60 * 24`, `event.slippage_bps > 5 and -event.slippage_bps < 5`, `event.currency == "USD" and event.notional > 5 or event.currency == "EUR" and event.notional > 4`,
		`age(event.occurred_at) > 60 and age(event.occurred_at) < 3600`, `event.last_qty * event.last_price > 5 and event.last_qty * event.last_price < 9e9`, `event.occurred_at > "2026-01-01" and event.occurred_at < "2027-01-01"`, `(event.side ?? "none") != "none"`,
	},
	portfolios: {
		`any(event.positions, .symbol == "AAPL") and any(event.positions, .symbol == "MSFT")`, `sum(event.positions, .market_value) > 5 and max(map(event.positions, .weight)) > 0.1`, `count(event.positions, .weight > 0.1) > 3 or len(event.positions) > 10`,
		`sum(map(event.positions, .weight)) > 1`, `max(event.drawdown, event.leverage) > 2`, `min(event.equity) > 5`, `event.drawdown > 0.05 and event.drawdown <= 0.08`, `any(event.positions, .qty > 0 and .weight < 0.5) and any(event.positions, .qty < 0)`,
		`event.day_pnl < -10000 or event.day_pnl > 10000`, `event.margin_ratio >= 0.9 and event.event_type != "margin.call"`,
	},
	forward: {`event.status == "failed" or event.error.retryable == false`, `event.progress >= 0.5 and event.progress < 1`, `event.divergence.z_score > 2 or event.divergence.z_score < -2`},
}

func TestReasonableRulesAreNotWarnedOf(t *testing.T) {
	all := samples(t)
	for topic, conditions := range rightRules {
		for _, when := range conditions {
			if got := warnings(t, topic, when, "", all); len(got) > 0 {
				t.Errorf("%s: %s", when, strings.Join(got, "\n"))
			}
		}
	}
}

// compiled returns the warnings of a whole file.
func compiled(t *testing.T, file string) (messages []string) {
	t.Helper()
	_, faults := rule.Compile("r.yaml", []byte(file), rule.Environment{Samples: samples(t)})
	for _, f := range faults {
		messages = append(messages, f.String())
	}
	return messages
}

func TestRuleThatItsWhereExcludesIsWarnedOf(t *testing.T) {
	const head = "version: 1\ndefaults: {trade-executions: {where: 'event.mode not in [\"paper\", \"backtest\"] and event.reconciliation != true'}}\nrules:\n  - {name: a, to: [desk], title: t, "
	for rest, want := range map[string][]string{
		`topic: trade-executions, when: 'event.mode == "paper" and event.last_qty > 5'}`:                                {`r.yaml:4:69: warning: rules[0].when: no event of trade-executions matches: event.mode == "paper" and the topic's default where event.mode not in ["paper", "backtest"] are never both true; write where: true to disable it in this rule`},
		`topic: trade-executions, when: 'event.mode == "paper"', where: 'event.mode == "live"'}`:                        {`r.yaml:4:101: warning: rules[0].where: event.mode == "live" and event.mode == "paper" of when are never both true: remove one`},
		`topic: trade-executions, when: 'event.mode == "paper"', where: true}`:                                          nil,
		`topic: portfolio-updates, when: 'event.mode == "paper"'}`:                                                      nil,
		`topic: trade-executions, when: 'event.mode == "live" and event.reconciliation == nil'}`:                        nil,
		`topic: trade-executions, when: 'event.mode == "paper" or event.last_qty > 5'}`:                                 nil,
		`topic: [trade-executions, portfolio-updates], when: 'event.mode in ["backtest", "live"]'}`:                     nil,
		`topic: [trade-executions, portfolio-updates], when: 'event.mode in ["paper"]', where: 'event.mode == "live"'}`: {`r.yaml:4:124: warning: rules[0].where: event.mode == "live" and event.mode in ["paper"] of when are never both true: remove one`},
	} {
		if got := compiled(t, head+rest+"\n"); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", rest, got, want)
		}
	}
}

func TestTooLongConditionNamesRemedy(t *testing.T) {
	got := compiled(t, "version: 1\nrules: [{name: r, topic: trade-executions, to: [desk], title: t, when: 'event.last_qty == 1"+strings.Repeat(" or event.last_qty == 2", 4000)+"'}]\n")
	if want := []string{`r.yaml:2:73: rules[0].when: the expression is too long: write texts as a list (event.x in ["a", "b"]), or several rules`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAverageIsWrittenWithSum(t *testing.T) {
	got := compiled(t, "version: 1\nrules: [{name: r, when: 'avg(map(event.positions, .weight)) > 1', to: [desk], title: t}]\n")
	if want := []string{`r.yaml:2:26: rules[0].when: unknown function avg(): write sum(x) / len(x)`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnusedVariablesAreOneWarning(t *testing.T) {
	for file, want := range map[string][]string{
		"vars: {a: 1, b: {c: 2}, d: 3, e: 4, f: 5, g: 6}\nrules: [{name: r, topic: trade-executions, when: event.last_qty > vars.a + vars.b.c, to: [desk], title: '{{ vars.d }}'}]\n": {`r.yaml:2:34: warning: vars.e: no rule uses vars.e, vars.f, vars.g`},
		"vars: {a: 1, b: 2}\nrules: [{name: r, topic: trade-executions, when: 'event.last_qty > vars[event.side]', to: [desk], title: t}]\n":                                          nil,
		"vars: {a: &a 'event.last_qty > 5', b: [&b event.side]}\nrules: [{name: r, topic: trade-executions, when: *a, to: [desk], title: t, fields: [*b]}]\n":                         nil,
		"vars: {a: 1}\ndefaults: {trade-executions: {where: event.last_qty > vars.a}}\n":                                                                                              nil,
	} {
		if got := compiled(t, "version: 1\n"+file); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", file, got, want)
		}
	}
}
