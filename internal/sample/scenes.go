package sample

import (
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// Each scene adds its events from time at on.

// refusal is the reason for rejecting an order.
type refusal struct{ code, reason string }

var refusals = []refusal{
	{"INSUFFICIENT_BUYING_POWER", "insufficient buying power"},
	{"PRICE_OUT_OF_BAND", "limit price outside the band"},
	{"SYMBOL_HALTED", "trading in the symbol is halted"},
	{"NOT_SHORTABLE", "no shares to borrow"},
	{"DUPLICATE_CLIENT_ID", "client order id was used before"},
}

var denials = []refusal{
	{"MAX_NOTIONAL_EXCEEDED", "order exceeds the notional limit"},
	{"RATE_LIMIT_EXCEEDED", "strategy sends too many orders"},
	{"NOTIONAL_EXCEEDS_FREE_BALANCE", "not enough free balance"},
}

func (s *Story) addExecution(at time.Duration, e *execution) {
	s.add(at, topics.TradeExecutions, e, nil)
}

// reject: the venue rejects an order.
func (s *Story) reject(at time.Duration, c trader, side string, qty int64, refusal refusal) {
	o := s.newOrder(at, c, side, qty)
	s.addExecution(at, o.submitted())
	s.addExecution(at+35*time.Millisecond, o.rejected(refusal.code, refusal.reason))
}

// deny: the platform's risk check denies an order.
func (s *Story) deny(at time.Duration, c trader, side string, qty int64, refusal refusal) {
	o := s.newOrder(at, c, side, qty)
	s.addExecution(at, o.denied(refusal.code, refusal.reason))
}

// outage: a venue rejects all orders for some seconds. The first reject of each
// account raises an alert, the others are throttled.
func (s *Story) outage(at time.Duration, accounts ...trader) {
	for i := range 4 * len(accounts) {
		c := accounts[i%len(accounts)]
		c.instrument.venue = accounts[0].instrument.venue
		when := at + time.Duration(i)*450*time.Millisecond
		if i < len(accounts) {
			when = at + time.Duration(i)*1200*time.Millisecond
		} else {
			when += time.Duration(len(accounts)) * 750 * time.Millisecond
		}
		s.reject(when, c, "buy", int64(intBetween(s.script, 1, 9))*100, refusal{"VENUE_UNAVAILABLE", "no connection to the venue"})
	}
}

// fill: an order is filled at once, slip basis points worse than the arrival price.
func (s *Story) fill(at time.Duration, c trader, side string, qty int64, slip float64) order {
	o := s.newOrder(at, c, side, qty)
	s.addExecution(at-60*time.Millisecond, o.submitted())
	s.addExecution(at-40*time.Millisecond, o.accepted(18))
	s.addExecution(at, o.filled(0, qty, slip, 40))
	return o
}

// large: a fill of lots times 50,000 USD.
func (s *Story) large(at time.Duration, c trader, side string, lots float64) {
	qty := int64(lots*50_000*100)/c.instrument.cents/10*10 + 20
	s.fill(at, c, side, qty, 1.2)
}

// slip: a small fill at a bad price.
func (s *Story) slip(at time.Duration, c trader, bps float64) { s.fill(at, c, "buy", 60, bps) }

// bust: the venue cancels an earlier fill.
func (s *Story) bust(at time.Duration, c trader) {
	o := s.fill(at-4*time.Second, c, "sell", 80, 0.8)
	s.addExecution(at, o.busted("erroneous price, trade cancelled by the venue"))
}

// drawdown: an account falls from its peak and recovers.
func (s *Story) drawdown(at time.Duration, account string, depth float64, recovers time.Duration) {
	weights := ordinaryWeights(s.script)
	step := func(at time.Duration, depth, dayReturn float64) {
		s.addSnapshot(at, account, shape{drawdown: depth, dayReturn: dayReturn, weights: weights})
	}
	step(at-1500*time.Millisecond, 0.034, -0.002)
	step(at, depth, -0.006)
	step(at+recovers/2, depth-(depth-0.037)/3, -0.005)
	step(at+recovers, 0.037, -0.003)
}

// badDay: an account has a daily loss, a limit breach, a margin call, a restriction,
// and is cleared, one gap apart.
func (s *Story) badDay(at time.Duration, account string, gap time.Duration) {
	lost := shape{drawdown: 0.031, dayReturn: -0.0268, marginRatio: 0.71}
	s.addSnapshot(at, account, lost)
	s.risk(at+gap, account, limit{"gross_exposure", "1500000", "1675421", "USD"})

	equity := peakEquity(account) * 95 / 100
	called := newPortfolio("margin.call", account, "live")
	called.Equity, called.MaintenanceMargin = money(equity), money(equity*106/100)
	called.MarginRatio, called.Deficit, called.dueIn = new(1.06), money(equity*6/100), 30*time.Minute
	s.add(at+2*gap, topics.PortfolioUpdates, called, nil)

	restricted := newPortfolio("account.restricted", account, "live")
	restricted.Reason = "margin deficit not met: closing orders only"
	s.add(at+3*gap, topics.PortfolioUpdates, restricted, nil)

	paid := newPortfolio("cash.transferred", account, "live")
	paid.Amount = money(equity * 9 / 100)
	s.add(at+4*gap, topics.PortfolioUpdates, paid, nil)
	cleared := newPortfolio("margin.cleared", account, "live")
	cleared.Equity, cleared.MaintenanceMargin = money(equity*109/100), money(equity*109/100*62/100)
	cleared.MarginRatio = new(0.62)
	s.add(at+4*gap+time.Second, topics.PortfolioUpdates, cleared, nil)
}

// risk: a limit is breached.
func (s *Story) risk(at time.Duration, account string, l limit) {
	breached := newPortfolio("risk.limit_breached", account, "live")
	breached.Limit = &l
	s.add(at, topics.PortfolioUpdates, breached, nil)
}

// concentrate: one position of an account exceeds its limit.
func (s *Story) concentrate(at time.Duration, account string, weight float64) {
	s.addSnapshot(at, account, shape{drawdown: 0.012, dayReturn: 0.004, weights: []float64{weight, 0.08, 0.06, 0.05}})
}

// squeeze: an account comes close to a margin call.
func (s *Story) squeeze(at time.Duration, account string, ratio float64) {
	s.addSnapshot(at, account, shape{drawdown: 0.022, dayReturn: -0.003, marginRatio: ratio})
}

// quiet: events that raise no alert because they are paper, replayed, a backtest, or
// NaN.
func (s *Story) quiet(at time.Duration) {
	c := s.nextTrader()
	paper := s.newOrder(at, c, "buy", 400)
	paper.mode = "paper"
	s.addExecution(at, paper.rejected(refusals[0].code, refusals[0].reason))
	replayed := s.newOrder(at, c, "buy", 900)
	replayed.replay = true
	s.addExecution(at+200*time.Millisecond, replayed.filled(0, 900, 1, 40))
	s.addSnapshot(at+400*time.Millisecond, c.account, shape{mode: "backtest", drawdown: 0.19, dayReturn: -0.06})
	s.add(at+600*time.Millisecond, topics.ForwardTestEvents, s.nextTest().young(), notANumber)
}
