package sample

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// shape is what a snapshot of an account shows; the amounts follow from it.
type shape struct {
	mode        string // live when empty
	drawdown    float64
	dayReturn   float64
	marginRatio float64   // 0: what the positions call for
	weights     []float64 // of the positions
}

// wealth returns the peak equity of an account in cents: always the same one,
// 400,000 to 1,200,000.
func wealth(account string) int64 {
	var sum int64
	for _, c := range []byte(account) {
		sum = (sum*31 + int64(c)) % 81
	}
	return (400_000 + sum*10_000) * 100
}

func newPortfolio(kind, account, mode string) *portfolio {
	return &portfolio{
		head: head{
			EventType: kind, Schema: "portfolio-update/1", SessionID: sessionOf(account), AccountID: account, Mode: mode,
		},
		Currency: "USD",
	}
}

// snapshot returns the account's state as its shape says.
func snapshot(r *rand.Rand, at time.Duration, account string, of shape) *portfolio {
	if of.mode == "" {
		of.mode = "live"
	}
	p := newPortfolio("portfolio.snapshot", account, of.mode)
	peak := wealth(account)
	equity := int64(round(float64(peak)*(1-of.drawdown), 0))
	dayStart := int64(round(float64(equity)/(1+of.dayReturn), 0))

	var gross, unrealized int64
	start := int(peak / 1_000_000 % int64(len(instruments))) // an account keeps to its instruments
	for i, weight := range of.weights {
		held := holding(r, at, instruments[(start+i)%len(instruments)], int64(float64(equity)*weight), equity)
		p.Positions = append(p.Positions, held.position)
		gross += held.value
		unrealized += held.gain
	}
	leverage := float64(gross) / float64(equity)
	ratio := of.marginRatio
	if ratio == 0 {
		ratio = leverage / 4 // a quarter of the positions' value must be there
	}
	maintenance := int64(float64(equity) * ratio)

	p.Equity, p.Cash, p.PeakEquity = money(equity), money(equity-gross), money(peak)
	p.DayStartEquity, p.DayPnl, p.DayReturn = money(dayStart), money(equity-dayStart), new(round(of.dayReturn, 5))
	p.UnrealizedPnl, p.RealizedPnl = money(unrealized), money(equity-dayStart-unrealized)
	p.Drawdown = new(round(of.drawdown, 4))
	p.GrossExposure, p.NetExposure, p.Leverage = money(gross), money(gross), new(round(leverage, 2))
	p.MaintenanceMargin, p.InitialMargin, p.MarginRatio = money(maintenance), money(maintenance*122/100), new(round(ratio, 3))
	p.BuyingPower = money(max(equity-maintenance, 0) * 2)
	p.OpenPositions = new(len(p.Positions))
	return p
}

type held struct {
	position
	value, gain int64
}

// holding returns a position worth about value cents.
func holding(r *rand.Rand, at time.Duration, of instrument, value, equity int64) held {
	price := of.price(at)
	qty := max(value/price, 1)
	paid := int64(float64(price) * between(r, 0.99, 1.01))
	h := held{value: qty * price, gain: qty * (price - paid)}
	h.position = position{
		Symbol: of.symbol, Qty: strconv.FormatInt(qty, 10), AvgPrice: money(paid), MarketPrice: money(price),
		MarketValue: money(h.value), UnrealizedPnl: money(h.gain), Weight: round(float64(h.value)/float64(equity), 3),
	}
	return h
}

// calmShape draws an account to which nothing happens: far from every limit.
func calmShape(r *rand.Rand) shape {
	return shape{drawdown: between(r, 0, 0.025), dayReturn: between(r, -0.004, 0.006), weights: calmWeights(r)}
}

func calmWeights(r *rand.Rand) []float64 {
	weights := make([]float64, whole(r, 2, 6))
	for i := range weights {
		weights[i] = between(r, 0.03, 0.11)
	}
	return weights
}

// positionEvent returns a position.opened, changed or closed.
func positionEvent(r *rand.Rand, at time.Duration, kind string, c cast) *portfolio {
	p := newPortfolio(kind, c.account, "live")
	p.StrategyID = &c.strategy
	equity := wealth(c.account)
	p.Positions = []position{holding(r, at, c.instrument, equity/20, equity).position}
	return p
}

// show puts a snapshot of a scene on its way.
func (s *Story) show(at time.Duration, account string, of shape) {
	if of.weights == nil {
		of.weights = calmWeights(s.script)
	}
	s.add(at, topics.PortfolioUpdates, snapshot(s.script, at, account, of), nil)
}
