package sample

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// forward is one forward test.
type forward struct {
	number                int
	user, strategy, build string
	symbols               []string
}

// newForward returns a forward test. Its fields are derived from the number.
func newForward(number int) forward {
	return forward{
		number: number, user: fmt.Sprintf("u-%d", 100+number*13%880),
		strategy: strategies[number%len(strategies)],
		build:    fmt.Sprintf("%d.%d.%d", 1+number%4, number%7, number%3),
		symbols:  []string{instruments[number%len(instruments)].symbol, instruments[(number+3)%len(instruments)].symbol},
	}
}

func (f forward) event(kind, status string, progress float64) *forwardTest {
	return &forwardTest{
		head: head{
			EventType: kind, Schema: "forward-test-event/1", SessionID: fmt.Sprintf("fwd-%d", f.number),
			StrategyID: &f.strategy, Mode: "paper",
		},
		ForwardTestID: fmt.Sprintf("ft-%d", f.number), StrategyVersion: f.build, UserID: f.user,
		Status: status, Progress: round(progress, 3), Symbols: f.symbols, DataLagMs: 900 + f.number%700,
	}
}

// measured returns an event whose results are the backtest's times share.
func (f forward) measured(r *rand.Rand, kind, status string, progress, share, z float64) *forwardTest {
	e := f.event(kind, status, progress)
	back := metrics{
		TotalReturn: round(between(r, 0.03, 0.09), 3), Sharpe: round(between(r, 1.4, 2.2), 2), Sortino: round(between(r, 1.9, 3), 2),
		MaxDrawdown: round(between(r, 0.03, 0.06), 3), WinRate: round(between(r, 0.51, 0.58), 2),
		ProfitFactor: round(between(r, 1.4, 1.8), 2), Trades: intBetween(r, 150, 400),
	}
	e.Baseline = &baseline{BacktestID: fmt.Sprintf("bt-%04d", f.number*7%10_000), metrics: back}
	e.Metrics = &metrics{
		TotalReturn: round(back.TotalReturn*share, 3), Sharpe: round(back.Sharpe*share, 2), Sortino: round(back.Sortino*share, 2),
		MaxDrawdown: round(back.MaxDrawdown/max(share, 0.4), 3), WinRate: round(back.WinRate*(0.8+share/5), 2),
		ProfitFactor: round(1+(back.ProfitFactor-1)*share, 2), Trades: max(40, int(float64(back.Trades)*progress)),
	}
	e.Divergence = &divergence{ZScore: round(z, 2), TrackingErrorBps: round(between(r, 20, 60)-30*min(z, 0), 1)}
	return e
}

// young returns the metrics of a test with one trade and no ratios.
func (f forward) young() *forwardTest {
	e := f.event("forward_test.metrics", "running", 0.004)
	e.Metrics = &metrics{Trades: 1}
	return e
}

func (f forward) failed(code, message string) *forwardTest {
	e := f.event("forward_test.failed", "failed", 0.41)
	e.Error = &failure{Code: code, Message: message, Retryable: false}
	return e
}

// addForwardTest adds an event of a scene.
func (s *Story) addForwardTest(at time.Duration, e *forwardTest) {
	s.add(at, topics.ForwardTestEvents, e, nil)
}

// nextTest returns a forward test that no scene has used.
func (s *Story) nextTest() forward {
	s.scriptTests++
	return newForward(s.scriptTests)
}
