package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// The venue is out from the third to the sixth tenth of the story. Then four
// events of five are rejects of one venue on 40 accounts.
const (
	outageFrom, outageTo = 0.3, 0.6
	outageShare          = 0.8
	outageAccounts       = 40
	// outageLead is how long the first reject, which is planted, is the only one: it is
	// in another partition than most, and has to be the first of its group all the same.
	outageLead = time.Second
)

// script returns the events of the story in their order.
func (s *story) script(total time.Duration) []scripted {
	r := rand.New(rand.NewPCG(s.seed, 2))
	var list []scripted
	n := int(total.Seconds() * storyRate)
	outage := time.Duration(outageFrom * float64(total))
	for i := range n {
		at := total * time.Duration(i) / time.Duration(n)
		if part := float64(i) / float64(n); at >= outage+outageLead && part < outageTo && r.Float64() < outageShare {
			e := reject(fmt.Sprintf("ACC-%d", 100+r.IntN(outageAccounts)), "VENUE_DOWN", "XNAS does not answer")
			e.at = at
			list = append(list, e)
			continue
		}
		e := quietFill(r)
		e.at = at
		list = append(list, e)
	}
	// The numbers are those of ten minutes; of a shorter story there are three at least.
	plants := func(n int, kind string, from, to float64, event func(mark string) scripted, name string) {
		for i := range max(min(n, 3), int(float64(n)*total.Minutes()/10)) {
			mark := fmt.Sprintf("%s-%03d", name, i)
			e := event(mark)
			e.at = time.Duration((from + (to-from)*r.Float64()) * float64(total))
			e.plant = &plant{kind: kind, mark: mark}
			list = append(list, e)
		}
	}
	plants(10, "critical", 0.05, 0.95, marginCall, "MC")
	plants(20, "critical", 0.05, 0.95, dayLoss, "DL")
	plants(40, "critical", 0.05, 0.95, drawdown, "DD")
	plants(10, "first", 0.05, 0.95, diverging, "FT")
	plants(1, "first", outageFrom, outageFrom, func(mark string) scripted { return reject("ACC-99", "VENUE_DOWN", "XNAS does not answer: "+mark) }, "XN")
	plants(5, "first", 0.05, 0.95, func(mark string) scripted { return reject("ACC-7", mark, "code "+mark) }, "RC")
	slices.SortStableFunc(list, func(a, b scripted) int { return int(a.at - b.at) })
	for i := range list {
		list[i].fields["event_id"] = fmt.Sprintf("ev-%d-%d", s.seed, i)
	}
	return list
}

func (e scripted) value() []byte {
	b, err := json.Marshal(e.fields)
	if err != nil {
		panic(err) // they are texts and numbers
	}
	return b
}

func trade(kind, account string, more map[string]any) scripted {
	fields := map[string]any{
		"event_type": kind, "schema": "trade-execution/1", "session_id": "s-" + account, "account_id": account, "strategy_id": "mm-eu-4", "mode": "live",
		"symbol": "AAPL", "venue": "XNAS", "side": "buy", "order_qty": "100", "currency": "USD",
	}
	for k, v := range more {
		fields[k] = v
	}
	return scripted{topic: topics.TradeExecutions, key: "s-" + account, fields: fields}
}

func portfolio(kind, account string, more map[string]any) scripted {
	fields := map[string]any{
		"event_type": kind, "schema": "portfolio-update/1", "session_id": "s-" + account, "account_id": account, "mode": "live",
		"equity": "251000.00", "currency": "USD",
	}
	for k, v := range more {
		fields[k] = v
	}
	return scripted{topic: topics.PortfolioUpdates, key: "s-" + account, fields: fields, matches: true}
}

func quietFill(r *rand.Rand) scripted {
	return trade("order.filled", fmt.Sprintf("ACC-%d", r.IntN(400)), map[string]any{
		"order_id": fmt.Sprintf("o-%d", r.IntN(1_000_000)), "last_qty": "100", "last_price": "187.32", "notional": "18732.00", "slippage_bps": 0.4,
	})
}

func reject(account, code, reason string) scripted {
	e := trade("order.rejected", account, map[string]any{"order_id": "o-" + account, "reject_code": code, "reason": reason})
	e.matches = true
	return e
}

func marginCall(account string) scripted {
	return portfolio("margin.call", account, map[string]any{"margin_ratio": 1.04, "maintenance_margin": "261040.00"})
}

func dayLoss(account string) scripted {
	return portfolio("portfolio.snapshot", account, map[string]any{"day_pnl": "-14200.50", "day_return": -0.031})
}

func drawdown(account string) scripted {
	return portfolio("portfolio.snapshot", account, map[string]any{"drawdown": 0.091, "peak_equity": "276000.00"})
}

func diverging(test string) scripted {
	return scripted{topic: topics.ForwardTestEvents, key: "s-" + test, matches: true, fields: map[string]any{
		"event_type": "forward_test.metrics", "schema": "forward-test/1", "session_id": "s-" + test, "forward_test_id": test, "strategy_id": "mm-eu-4",
		"metrics": map[string]any{"trades": 120, "sharpe": 0.4}, "baseline": map[string]any{"sharpe": 1.9},
		"divergence": map[string]any{"z_score": 3.4, "tracking_error_bps": 41},
	}}
}
