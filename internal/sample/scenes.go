package sample

import (
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// The scenes. Each puts what happens from at on into the story.

// refusal is why an order is not taken.
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

func (s *Story) trade(at time.Duration, e *execution) { s.add(at, topics.TradeExecutions, e, nil) }

// reject: the venue does not take an order.
func (s *Story) reject(at time.Duration, c cast, side string, qty int64, why refusal) {
	o := s.scripted(at, c, side, qty)
	s.trade(at, o.submitted())
	s.trade(at+35*time.Millisecond, o.rejected(why.code, why.reason))
}

// deny: our own risk check stops an order before it reaches a venue.
func (s *Story) deny(at time.Duration, c cast, side string, qty int64, why refusal) {
	o := s.scripted(at, c, side, qty)
	s.trade(at, o.denied(why.code, why.reason))
}

// outage: a venue is gone for some seconds and refuses everybody. The first
// reject of each account alerts, the others only count.
func (s *Story) outage(at time.Duration, accounts ...cast) {
	for i := range 4 * len(accounts) {
		c := accounts[i%len(accounts)]
		c.instrument.venue = accounts[0].instrument.venue
		when := at + time.Duration(i)*450*time.Millisecond
		if i < len(accounts) {
			when = at + time.Duration(i)*1200*time.Millisecond
		} else {
			when += time.Duration(len(accounts)) * 750 * time.Millisecond
		}
		s.reject(when, c, "buy", int64(whole(s.script, 1, 9))*100, refusal{"VENUE_UNAVAILABLE", "no connection to the venue"})
	}
}

// fill: an order that is filled at once, slip basis points worse than it arrived.
func (s *Story) fill(at time.Duration, c cast, side string, qty int64, slip float64) order {
	o := s.scripted(at, c, side, qty)
	s.trade(at-60*time.Millisecond, o.submitted())
	s.trade(at-40*time.Millisecond, o.accepted(18))
	s.trade(at, o.filled(0, qty, slip, 40))
	return o
}

// large: a fill that is worth a look. lots of 50,000 USD.
func (s *Story) large(at time.Duration, c cast, side string, lots float64) {
	qty := int64(lots*50_000*100)/c.instrument.cents/10*10 + 20
	s.fill(at, c, side, qty, 1.2)
}

// slip: a small fill at a bad price.
func (s *Story) slip(at time.Duration, c cast, bps float64) { s.fill(at, c, "buy", 60, bps) }

// bust: a fill, and later the venue takes it back.
func (s *Story) bust(at time.Duration, c cast) {
	o := s.fill(at-4*time.Second, c, "sell", 80, 0.8)
	s.trade(at, o.busted("erroneous price, trade cancelled by the venue"))
}

// drawdown: an account falls from its peak and recovers.
func (s *Story) drawdown(at time.Duration, account string, depth float64, recovers time.Duration) {
	weights := calmWeights(s.script)
	step := func(at time.Duration, depth, dayReturn float64) {
		s.show(at, account, shape{drawdown: depth, dayReturn: dayReturn, weights: weights})
	}
	step(at-1500*time.Millisecond, 0.034, -0.002)
	step(at, depth, -0.006)
	step(at+recovers/2, depth-(depth-0.037)/3, -0.005)
	step(at+recovers, 0.037, -0.003)
}

// badDay: an account loses its day, breaches a limit, is called for margin and
// restricted, gap after gap; in the end it is put right.
func (s *Story) badDay(at time.Duration, account string, gap time.Duration) {
	lost := shape{drawdown: 0.031, dayReturn: -0.0268, marginRatio: 0.71}
	s.show(at, account, lost)
	s.risk(at+gap, account, limit{"gross_exposure", "1500000", "1675421", "USD"})

	equity := wealth(account) * 95 / 100
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
	cleared.MarginRatio = new(0.62)
	s.add(at+4*gap+time.Second, topics.PortfolioUpdates, cleared, nil)
}

// risk: a limit is breached.
func (s *Story) risk(at time.Duration, account string, l limit) {
	breached := newPortfolio("risk.limit_breached", account, "live")
	breached.Limit = &l
	s.add(at, topics.PortfolioUpdates, breached, nil)
}

// concentrate: one position of an account grows over what is allowed.
func (s *Story) concentrate(at time.Duration, account string, weight float64) {
	s.show(at, account, shape{drawdown: 0.012, dayReturn: 0.004, weights: []float64{weight, 0.08, 0.06, 0.05}})
}

// squeeze: an account comes close to a margin call.
func (s *Story) squeeze(at time.Duration, account string, ratio float64) {
	s.show(at, account, shape{drawdown: 0.022, dayReturn: -0.003, marginRatio: ratio})
}

// quiet: what looks like an alert and is none, because it is paper, a replayed
// fill, a backtest, or a young test's not-a-number.
func (s *Story) quiet(at time.Duration) {
	c := s.lead()
	paper := s.scripted(at, c, "buy", 400)
	paper.mode = "paper"
	s.trade(at, paper.rejected(refusals[0].code, refusals[0].reason))
	replayed := s.scripted(at, c, "buy", 900)
	replayed.replay = true
	s.trade(at+200*time.Millisecond, replayed.filled(0, 900, 1, 40))
	s.show(at+400*time.Millisecond, c.account, shape{mode: "backtest", drawdown: 0.19, dayReturn: -0.06})
	s.add(at+600*time.Millisecond, topics.ForwardTestEvents, s.nextTest().young(), notANumber)
}
