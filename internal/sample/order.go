package sample

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/algotrade/notifier/internal/topics"
)

// order is one order; its methods return its events.
type order struct {
	trader
	number int
	mode   string // live, paper, backtest
	replay bool   // a fill that was replayed after a reconnect
	side   string
	qty    int64
	kind   string // limit, market
	placed time.Duration
}

// newOrder returns an order of a scene.
func (s *Story) newOrder(at time.Duration, c trader, side string, qty int64) order {
	s.scriptOrders++
	return order{trader: c, number: s.scriptOrders, mode: "live", side: side, qty: qty, kind: "limit", placed: at}
}

// event returns the common fields of the order's events.
func (o order) event(kind, status string, filled int64) *execution {
	leaves := o.qty - filled
	switch status {
	case "rejected", "denied", "canceled", "expired":
		leaves = 0
	}
	arrival := o.instrument.price(o.placed)
	e := &execution{
		head: head{
			EventType: kind, Schema: "trade-execution/1", SessionID: sessionOf(o.account), AccountID: o.account,
			StrategyID: &o.strategy, Mode: o.mode, Reconciliation: o.replay,
		},
		OrderID: fmt.Sprintf("ord-%d", o.number), ClientOrderID: fmt.Sprintf("%s-%d", o.strategy, o.number),
		Symbol: o.instrument.symbol, AssetClass: "us_equity", Venue: o.instrument.venue,
		Side: o.side, OrderType: o.kind, TimeInForce: "day", OrderStatus: status,
		OrderQty: strconv.FormatInt(o.qty, 10), CumQty: strconv.FormatInt(filled, 10), LeavesQty: strconv.FormatInt(leaves, 10),
		Currency: "USD", ArrivalPrice: money(arrival),
	}
	if o.kind == "limit" {
		margin := arrival * 15 / 10_000
		if o.side != "buy" {
			margin = -margin
		}
		e.LimitPrice = money(arrival + margin)
	}
	return e
}

func (o order) submitted() *execution { return o.event("order.submitted", "submitted", 0) }

func (o order) accepted(latencyMs int) *execution {
	e := o.event("order.accepted", "accepted", 0)
	e.LatencyMs = latencyMs
	return e
}

// rejected is a rejection by the venue, denied one by the platform's risk check.
func (o order) rejected(code, reason string) *execution {
	e := o.event("order.rejected", "rejected", 0)
	e.RejectCode, e.Reason = &code, &reason
	return e
}

func (o order) denied(code, reason string) *execution {
	e := o.event("order.denied", "denied", 0)
	e.RejectCode, e.Reason = &code, &reason
	return e
}

// filled is a fill of last shares after done earlier ones, slip basis points worse
// than the arrival price.
func (o order) filled(done, last int64, slip float64, latencyMs int) *execution {
	kind, status := "order.partially_filled", "partially_filled"
	if done+last == o.qty {
		kind, status = "order.filled", "filled"
	}
	e := o.event(kind, status, done+last)
	arrival := o.instrument.price(o.placed)
	worse := 1.0
	if o.side != "buy" {
		worse = -1
	}
	price := int64(round(float64(arrival)*(1+worse*slip/10_000), 0))
	e.ExecutionID = fmt.Sprintf("exe-%d-%02d", o.number, 1+min(done, 1))
	e.LastQty, e.LastPrice, e.AvgPrice = strconv.FormatInt(last, 10), money(price), money(price)
	e.Notional, e.Commission = money(last*price), money(max(last*3/10, 1))
	e.Liquidity = "taker"
	e.SlippageBps = new(round(worse*(float64(price)/float64(arrival)-1)*10_000, 2))
	e.LatencyMs = latencyMs
	return e
}

// ended is the cancellation or expiry of the order.
func (o order) ended(status string, filled int64) *execution {
	return o.event("order."+status, status, filled)
}

// busted is the cancellation of the fill by the venue.
func (o order) busted(reason string) *execution {
	e := o.event("trade.busted", "filled", o.qty)
	e.ExecutionID = fmt.Sprintf("exe-%d-01", o.number)
	e.LastQty, e.LastPrice = strconv.FormatInt(o.qty, 10), money(o.instrument.price(o.placed))
	e.Reason = &reason
	return e
}

// addOrder adds the events of an ordinary order and returns their number.
func (s *Story) addOrder(at time.Duration, o order, r *rand.Rand) int {
	latency := intBetween(r, 4, 60)
	step := func(d time.Duration, e event) {
		at += d
		s.add(at, topics.TradeExecutions, e, nil)
	}
	step(0, o.submitted())
	step(time.Duration(latency)*time.Millisecond, o.accepted(latency))
	slip := between(r, -1.5, 2.5)
	wait := time.Duration(intBetween(r, 30, 900)) * time.Millisecond
	switch n := r.IntN(20); {
	case n < 1:
		step(10*wait, o.ended("expired", 0))
	case n < 3:
		step(5*wait, o.ended("canceled", 0))
	case n < 7 && o.qty > 1:
		part := o.qty / 2
		step(wait, o.filled(0, part, slip, latency))
		step(wait, o.filled(part, o.qty-part, slip, latency))
		return 4
	default:
		step(wait, o.filled(0, o.qty, slip, latency))
	}
	return 3
}
