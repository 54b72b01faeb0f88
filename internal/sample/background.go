package sample

import (
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// activity is the relative rate of background events, 1 on average over a minute: the
// opening bell, four seconds of each minute, has nearly four times the average.
func activity(at time.Duration) float64 {
	if second := at % time.Minute / time.Second; second >= 9 && second < 13 {
		return 3.8
	}
	return 0.8
}

// addBackground adds one background transaction: an order's events, a snapshot, a
// position or a forward test. No default rule matches it, also because some of it is
// paper, backtest or replayed. It returns the number of events.
func (s *Story) addBackground(at time.Duration) int {
	r := s.background
	c := backgroundTrader(r)
	switch n := r.IntN(100); {
	case n < 25:
		s.backgroundOrders++
		o := order{
			trader: c, number: s.backgroundOrders, mode: "live", side: pick(r, []string{"buy", "buy", "sell", "sell_short"}),
			qty: int64(intBetween(r, 1, 80)), kind: pick(r, []string{"limit", "limit", "market"}), placed: at,
		}
		switch r.IntN(20) {
		case 0:
			o.replay = true
		case 1:
			o.mode = "backtest"
		case 2, 3:
			o.mode = "paper"
			o.qty *= 40 // large, but paper trades raise no alert
		}
		return s.addOrder(at, o, r)
	case n < 72:
		s.add(at, topics.PortfolioUpdates, snapshot(r, at, c.account, ordinaryShape(r)), nil)
	case n < 78:
		kind := pick(r, []string{"position.opened", "position.changed", "position.changed", "position.closed"})
		s.add(at, topics.PortfolioUpdates, positionEvent(r, at, kind, c), nil)
	case n < 94:
		f := newForward(intBetween(r, 2100, 2160))
		s.add(at, topics.ForwardTestEvents, f.event("forward_test.progress", "running", f.progress(at)), nil)
	default:
		f := newForward(intBetween(r, 2100, 2160))
		s.add(at, topics.ForwardTestEvents, f.measured(r, "forward_test.metrics", "running", f.progress(at), between(r, 0.75, 1.2), between(r, -1.5, 1.5)), nil)
	}
	return 1
}

// progress returns the progress of a test that takes a day and began before the story.
func (f forward) progress(at time.Duration) float64 {
	return min(float64(f.number%50)/100+at.Hours()/24, 0.99)
}
