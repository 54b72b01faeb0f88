package sample

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// shape describes a snapshot of an account; the amounts are derived from it.
type shape struct {
	mode        string // live when empty
	drawdown    float64
	dayReturn   float64
	marginRatio float64   // 0: derived from the positions
	weights     []float64 // of the positions
}

// peakEquity returns the peak equity of an account in cents, derived from its name:
// 400,000 to 1,200,000 USD.
func peakEquity(account string) int64 {
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

// snapshot returns a snapshot of an account.
func snapshot(r *rand.Rand, at time.Duration, account string, sh shape) *portfolio {
	if sh.mode == "" {
		sh.mode = "live"
	}
	p := newPortfolio("portfolio.snapshot", account, sh.mode)
	peak := peakEquity(account)
	equity := int64(round(float64(peak)*(1-sh.drawdown), 0))
	dayStart := int64(round(float64(equity)/(1+sh.dayReturn), 0))

	var gross, unrealized int64
	start := int(peak / 1_000_000 % int64(len(instruments))) // the same instruments each time
	for i, weight := range sh.weights {
		h := newHolding(r, at, instruments[(start+i)%len(instruments)], int64(float64(equity)*weight), equity)
		p.Positions = append(p.Positions, h.position)
		gross += h.value
		unrealized += h.gain
	}
	leverage := float64(gross) / float64(equity)
	ratio := sh.marginRatio
	if ratio == 0 {
		ratio = leverage / 4 // maintenance margin of 25 %
	}
	maintenance := int64(float64(equity) * ratio)

	p.Equity, p.Cash, p.PeakEquity = money(equity), money(equity-gross), money(peak)
	p.DayStartEquity, p.DayPnl, p.DayReturn = money(dayStart), money(equity-dayStart), new(round(sh.dayReturn, 5))
	p.UnrealizedPnl, p.RealizedPnl = money(unrealized), money(equity-dayStart-unrealized)
	p.Drawdown = new(round(sh.drawdown, 4))
	p.GrossExposure, p.NetExposure, p.Leverage = money(gross), money(gross), new(round(leverage, 2))
	p.MaintenanceMargin, p.InitialMargin, p.MarginRatio = money(maintenance), money(maintenance*122/100), new(round(ratio, 3))
	p.BuyingPower = money(max(equity-maintenance, 0) * 2)
	p.OpenPositions = new(len(p.Positions))
	return p
}

type holding struct {
	position
	value, gain int64
}

// newHolding returns a position worth about value cents.
func newHolding(r *rand.Rand, at time.Duration, i instrument, value, equity int64) holding {
	price := i.price(at)
	qty := max(value/price, 1)
	paid := int64(float64(price) * between(r, 0.99, 1.01))
	h := holding{value: qty * price, gain: qty * (price - paid)}
	h.position = position{
		Symbol: i.symbol, Qty: strconv.FormatInt(qty, 10), AvgPrice: money(paid), MarketPrice: money(price),
		MarketValue: money(h.value), UnrealizedPnl: money(h.gain), Weight: round(float64(h.value)/float64(equity), 3),
	}
	return h
}

// calmShape draws an account that is far from every limit.
func ordinaryShape(r *rand.Rand) shape {
	return shape{drawdown: between(r, 0, 0.025), dayReturn: between(r, -0.004, 0.006), weights: ordinaryWeights(r)}
}

func ordinaryWeights(r *rand.Rand) []float64 {
	weights := make([]float64, intBetween(r, 2, 6))
	for i := range weights {
		weights[i] = between(r, 0.03, 0.11)
	}
	return weights
}

// positionEvent returns a position.opened, changed or closed.
func positionEvent(r *rand.Rand, at time.Duration, kind string, c trader) *portfolio {
	p := newPortfolio(kind, c.account, "live")
	p.StrategyID = &c.strategy
	equity := peakEquity(c.account)
	p.Positions = []position{newHolding(r, at, c.instrument, equity/20, equity).position}
	return p
}

// addSnapshot adds a snapshot of a scene.
func (s *Story) addSnapshot(at time.Duration, account string, sh shape) {
	if sh.weights == nil {
		sh.weights = ordinaryWeights(s.script)
	}
	s.add(at, topics.PortfolioUpdates, snapshot(s.script, at, account, sh), nil)
}
