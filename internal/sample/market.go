package sample

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// instrument is a traded instrument with its mean price in cents.
type instrument struct {
	symbol, venue string
	cents         int64
}

var instruments = []instrument{
	{"AAPL", "XNAS", 190_30},
	{"NVDA", "XNAS", 134_80},
	{"MSFT", "XNAS", 412_50},
	{"TSLA", "XNAS", 252_10},
	{"AMZN", "XNAS", 186_40},
	{"GOOG", "XNAS", 167_10},
	{"META", "XNAS", 482_20},
	{"AMD", "XNAS", 158_30},
	{"JPM", "XNYS", 198_70},
	{"XOM", "XNYS", 115_90},
	{"CAT", "XNYS", 336_40},
	{"SPY", "ARCX", 448_70},
	{"QQQ", "XNAS", 389_40},
	{"IWM", "ARCX", 201_50},
}

// instrumentOf returns the instrument with this symbol.
func instrumentOf(symbol string) instrument {
	for _, i := range instruments {
		if i.symbol == symbol {
			return i
		}
	}
	panic("sample: " + symbol + " is not listed")
}

// price returns the price in cents. It swings by 0.3 %, with a period and phase per
// instrument.
func (i instrument) price(at time.Duration) int64 {
	swing := 90*time.Second + time.Duration(i.cents%200)*time.Second
	phase := 2 * math.Pi * (at.Seconds()/swing.Seconds() + float64(i.cents%7)/7)
	return int64(math.Round(float64(i.cents) * (1 + 0.003*math.Sin(phase))))
}

var strategies = []string{
	"mean-rev-7", "momentum-3", "pairs-12", "breakout-5", "carry-2", "vwap-9", "stat-arb-4", "gap-fade-1", "trend-11", "vol-target-6",
}

// trader is an account with a strategy and an instrument.
type trader struct {
	account, strategy string
	instrument        instrument
}

// backgroundTrader draws a trader for background events.
func backgroundTrader(r *rand.Rand) trader {
	return trader{accountName(2001 + r.IntN(180)), pick(r, strategies), pick(r, instruments)}
}

// nextTrader draws a trader for a scene. It rotates over 900 accounts, so that
// throttles do not suppress the alerts of later scenes.
func (s *Story) nextTrader() trader {
	s.scriptAccounts++
	return trader{accountName(1050 + s.scriptAccounts*7%900), pick(s.script, strategies), pick(s.script, instruments)}
}

func accountName(n int) string { return fmt.Sprintf("ACC-%d", n) }

// sessionOf returns the trading session of an account: the key of its records.
func sessionOf(account string) string {
	h := uint32(2166136261) // FNV-1a
	for _, c := range []byte(account) {
		h = (h ^ uint32(c)) * 16777619
	}
	return fmt.Sprintf("ses-%04x", h&0xffff)
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// between draws a number from low to high.
func between(r *rand.Rand, low, high float64) float64 { return low + r.Float64()*(high-low) }

// intBetween draws an integer from low to high, both included.
func intBetween(r *rand.Rand, low, high int) int { return low + r.IntN(high-low+1) }

// round rounds to the given number of decimals.
func round(f float64, decimals int) float64 {
	scale := math.Pow10(decimals)
	return math.Round(f*scale) / scale
}
