package sample

import (
	"fmt"
	"time"
)

// event is the payload of a record. stamp sets its id and times.
type event interface {
	stamp(id string, at time.Time)
	session() string
}

// head holds the common fields of all events.
type head struct {
	EventID        string  `json:"event_id"`
	EventType      string  `json:"event_type"`
	Schema         string  `json:"schema"`
	OccurredAt     string  `json:"occurred_at"`
	SessionID      string  `json:"session_id"`
	AccountID      string  `json:"account_id,omitempty"`
	StrategyID     *string `json:"strategy_id"`
	Mode           string  `json:"mode"`
	Reconciliation bool    `json:"reconciliation,omitempty"`
}

func (h *head) stamp(id string, at time.Time) {
	h.EventID = id
	h.OccurredAt = at.Format("2006-01-02T15:04:05.000000Z07:00")
}

func (h *head) session() string { return h.SessionID }

// execution is an event of trade-executions.
type execution struct {
	head
	OrderID       string   `json:"order_id"`
	ClientOrderID string   `json:"client_order_id"`
	ExecutionID   string   `json:"execution_id,omitempty"`
	Symbol        string   `json:"symbol"`
	AssetClass    string   `json:"asset_class"`
	Venue         string   `json:"venue"`
	Side          string   `json:"side"`
	OrderType     string   `json:"order_type"`
	TimeInForce   string   `json:"time_in_force"`
	OrderStatus   string   `json:"order_status"`
	OrderQty      string   `json:"order_qty"`
	LimitPrice    string   `json:"limit_price,omitempty"`
	LastQty       string   `json:"last_qty,omitempty"`
	LastPrice     string   `json:"last_price,omitempty"`
	CumQty        string   `json:"cum_qty"`
	LeavesQty     string   `json:"leaves_qty"`
	AvgPrice      string   `json:"avg_price,omitempty"`
	Notional      string   `json:"notional,omitempty"`
	Currency      string   `json:"currency"`
	Commission    string   `json:"commission,omitempty"`
	Liquidity     string   `json:"liquidity,omitempty"`
	ArrivalPrice  string   `json:"arrival_price,omitempty"`
	SlippageBps   *float64 `json:"slippage_bps,omitempty"`
	LatencyMs     int      `json:"latency_ms,omitempty"`
	RejectCode    *string  `json:"reject_code"`
	Reason        *string  `json:"reason"`
}

// portfolio is an event of portfolio-updates.
type portfolio struct {
	head
	Currency          string     `json:"currency"`
	Equity            string     `json:"equity,omitempty"`
	Cash              string     `json:"cash,omitempty"`
	DayStartEquity    string     `json:"day_start_equity,omitempty"`
	DayPnl            string     `json:"day_pnl,omitempty"`
	DayReturn         *float64   `json:"day_return,omitempty"`
	RealizedPnl       string     `json:"realized_pnl,omitempty"`
	UnrealizedPnl     string     `json:"unrealized_pnl,omitempty"`
	PeakEquity        string     `json:"peak_equity,omitempty"`
	Drawdown          *float64   `json:"drawdown,omitempty"`
	GrossExposure     string     `json:"gross_exposure,omitempty"`
	NetExposure       string     `json:"net_exposure,omitempty"`
	Leverage          *float64   `json:"leverage,omitempty"`
	InitialMargin     string     `json:"initial_margin,omitempty"`
	MaintenanceMargin string     `json:"maintenance_margin,omitempty"`
	MarginRatio       *float64   `json:"margin_ratio,omitempty"`
	BuyingPower       string     `json:"buying_power,omitempty"`
	OpenPositions     *int       `json:"open_positions,omitempty"`
	Positions         []position `json:"positions,omitempty"`
	Limit             *limit     `json:"limit,omitempty"`
	Deficit           string     `json:"deficit,omitempty"`
	DueAt             string     `json:"due_at,omitempty"`
	Amount            string     `json:"amount,omitempty"`
	Reason            string     `json:"reason,omitempty"`

	dueIn time.Duration // DueAt, relative
}

func (p *portfolio) stamp(id string, at time.Time) {
	p.head.stamp(id, at)
	if p.dueIn > 0 {
		p.DueAt = at.Add(p.dueIn).Format(time.RFC3339)
	}
}

type position struct {
	Symbol        string  `json:"symbol"`
	Qty           string  `json:"qty"`
	AvgPrice      string  `json:"avg_price"`
	MarketPrice   string  `json:"market_price"`
	MarketValue   string  `json:"market_value"`
	UnrealizedPnl string  `json:"unrealized_pnl"`
	Weight        float64 `json:"weight"`
}

type limit struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Actual string `json:"actual"`
	Unit   string `json:"unit"`
}

// forwardTest is an event of forward-test-events.
type forwardTest struct {
	head
	ForwardTestID   string      `json:"forward_test_id"`
	StrategyVersion string      `json:"strategy_version"`
	UserID          string      `json:"user_id"`
	Status          string      `json:"status"`
	Period          period      `json:"period"`
	Progress        float64     `json:"progress"`
	Symbols         []string    `json:"symbols"`
	Metrics         *metrics    `json:"metrics,omitempty"`
	Baseline        *baseline   `json:"baseline,omitempty"`
	Divergence      *divergence `json:"divergence,omitempty"`
	LastBarAt       string      `json:"last_bar_at"`
	DataLagMs       int         `json:"data_lag_ms"`
	Error           *failure    `json:"error"`
}

func (f *forwardTest) stamp(id string, at time.Time) {
	f.head.stamp(id, at)
	f.LastBarAt = at.Add(-time.Duration(f.DataLagMs) * time.Millisecond).Format(time.RFC3339)
	f.Period = period{Start: at.AddDate(0, -1, 0).Format(time.DateOnly), End: at.AddDate(0, 2, 0).Format(time.DateOnly)}
}

type period struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type metrics struct {
	TotalReturn  float64 `json:"total_return"`
	Sharpe       float64 `json:"sharpe"`
	Sortino      float64 `json:"sortino"`
	MaxDrawdown  float64 `json:"max_drawdown"`
	WinRate      float64 `json:"win_rate"`
	ProfitFactor float64 `json:"profit_factor"`
	Trades       int     `json:"trades"`
}

type baseline struct {
	BacktestID string `json:"backtest_id"`
	metrics
}

type divergence struct {
	ZScore           float64 `json:"z_score"`
	TrackingErrorBps float64 `json:"tracking_error_bps"`
}

type failure struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

// money formats cents as a decimal.
func money(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}
