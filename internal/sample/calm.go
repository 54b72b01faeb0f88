package sample

import (
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// bell is how busy the market is at a time, 1 on average over a minute: four
// seconds of the minute take nearly four times their share.
func bell(at time.Duration) float64 {
	if second := at % time.Minute / time.Second; second >= 9 && second < 13 {
		return 3.8
	}
	return 0.8
}

// speak is one turn of the calm: an order's life, a snapshot, a forward test's
// progress. Nothing in it meets a rule's condition, except that some of it
// is paper, a backtest or replayed, which alerts nobody. It returns how many
// events it took.
func (s *Story) speak(at time.Duration) int {
	r := s.calm
	c := extra(r)
	switch n := r.IntN(100); {
	case n < 25:
		s.calmOrders++
		o := order{
			cast: c, number: s.calmOrders, mode: "live", side: pick(r, []string{"buy", "buy", "sell", "sell_short"}),
			qty: int64(whole(r, 1, 80)), kind: pick(r, []string{"limit", "limit", "market"}), placed: at,
		}
		switch r.IntN(20) {
		case 0:
			o.replay = true
		case 1:
			o.mode = "backtest"
		case 2, 3:
			o.mode = "paper"
			o.qty *= 40 // as large as it likes: nobody pays for it
		}
		return s.live(at, o, r)
	case n < 72:
		s.add(at, topics.PortfolioUpdates, snapshot(r, at, c.account, calmShape(r)), nil)
	case n < 78:
		kind := pick(r, []string{"position.opened", "position.changed", "position.changed", "position.closed"})
		s.add(at, topics.PortfolioUpdates, positionEvent(r, at, kind, c), nil)
	case n < 94:
		f := newForward(whole(r, 2100, 2160))
		s.add(at, topics.ForwardTestEvents, f.event("forward_test.progress", "running", f.progress(at)), nil)
	default:
		f := newForward(whole(r, 2100, 2160))
		s.add(at, topics.ForwardTestEvents, f.measured(r, "forward_test.metrics", "running", f.progress(at), between(r, 0.75, 1.2), between(r, -1.5, 1.5)), nil)
	}
	return 1
}

// progress of a test that runs for a day from somewhere in its first half.
func (f forward) progress(at time.Duration) float64 {
	return min(float64(f.number%50)/100+at.Hours()/24, 0.99)
}
