package event_test

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

// TestEventsOfTradingLibrariesAreRead: members as the libraries serialize them, with
// the paths of docs/producers.md.
func TestEventsOfTradingLibrariesAreRead(t *testing.T) {
	at := time.Date(2026, 11, 29, 7, 22, 49, 0, time.UTC)
	for name, c := range map[string]struct {
		value    string
		fields   event.Fields
		id, kind string
		time     time.Time
		path     []string // of a member
		text     string   // its text; empty: null
		repaired string
	}{
		"nautilus_trader, OrderFilled.to_dict": {
			`{"type": "OrderFilled", "instrument_id": "AAPL.XNAS", "last_qty": "100", "last_px": "189.50", "commission": "1.00 USD", "event_id": "1ab32e01", "ts_event": 1795936969000000007, "reconciliation": false}`,
			event.Fields{ID: []string{"event_id"}, Type: []string{"type"}, Time: []string{"ts_event"}},
			"1ab32e01", "OrderFilled", at.Add(7),
			[]string{"commission"},
			"1.00 USD", "",
		},
		"nautilus_trader, timestamps_as_iso8601": {
			`{"type":"OrderFilled","event_id":"1ab32e01","ts_event":"2026-11-29T07:22:49.000000007Z"}`,
			event.Fields{ID: []string{"event_id"}, Type: []string{"type"}, Time: []string{"ts_event"}},
			"1ab32e01", "OrderFilled", at.Add(7),
			[]string{"type"},
			"OrderFilled", "",
		},
		"ib_async, dataclasses.asdict of a Trade": {
			`{"order": {"permId": 7, "action": "BUY", "lmtPrice": 189.5, "auxPrice": 1.7976931348623157e+308, "minQty": 2147483647}, "orderStatus": {"status": "Filled"}, "log": [{"time": "2026-11-29 07:22:49+00:00"}]}`,
			event.Fields{ID: []string{"order.permId"}, Type: []string{"orderStatus.status"}},
			"7", "Filled", arrived,
			[]string{"order", "auxPrice"},
			"",
			"the largest float, which means unset, at byte 72: send null",
		},
		"ib_async, asdict of an Execution": {
			`{"execId": "0001", "time": "2026-11-29 07:22:49+00:00", "shares": 100, "price": 189.5}`,
			event.Fields{ID: []string{"execId"}, Time: []string{"time"}},
			"0001", "", at,
			[]string{"price"},
			"189.5", "",
		},
		"ib_async, asdict of a PnL": {
			`{"account": "U1", "dailyPnL": NaN}`, event.Fields{}, "", "", arrived, []string{"dailyPnL"}, "", "NaN at byte 30",
		},
		"ccxt, a unified order": {
			`{"id": "28", "timestamp": 1795936969007, "datetime": "2026-11-29T07:22:49.007Z", "symbol": "BTC/USDT", "type": "market", "status": "closed", "average": 1.0, "fee": null}`,
			event.Fields{ID: []string{"id"}, Type: []string{"status"}, Time: []string{"timestamp"}},
			"28", "closed", at.Add(7 * time.Millisecond),
			[]string{"average"},
			"1.0", "",
		},
		"freqtrade, Trade.to_json": {
			`{"trade_id": 1, "pair": "BTC/USDT", "is_open": true, "open_date": "2026-11-29 07:22:49", "open_timestamp": 1795936969000, "close_date": null}`,
			event.Fields{ID: []string{"trade_id"}, Time: []string{"close_date", "open_date"}},
			"1", "", at,
			[]string{"is_open"},
			"", "",
		},
		"lumibot, Order.to_dict": {
			`{"asset": {"symbol": "AAPL", "strike": 0.0}, "side": "buy", "quantity": 100, "status": "fill", "identifier": "40403c27", "broker_create_date": "2026-11-29 02:22:49-05:00", "broker_update_date": null}`,
			event.Fields{ID: []string{"identifier"}, Type: []string{"status"}, Time: []string{"broker_update_date", "broker_create_date"}},
			"40403c27", "fill", at,
			[]string{"asset", "symbol"},
			"AAPL", "",
		},
		"vectorbt, orders.records_readable": {
			`{"Order Id":0,"Column":0,"Timestamp":1795936969000,"Size":10.0,"Price":12.0,"Fees":0.0,"Side":"Sell"}`,
			event.Fields{ID: []string{"Order Id"}, Type: []string{"Side"}, Time: []string{"Timestamp"}},
			"0", "Sell", at,
			[]string{"Size"},
			"10.0", "",
		},
		"vectorbt, stats": {
			`{"End": "2026-11-29 07:22:49+00:00", "Max Drawdown [%]": NaN, "Max Drawdown Duration": "NaT", "Profit Factor": Infinity}`,
			event.Fields{Time: []string{"End"}},
			"", "", at,
			[]string{"Profit Factor"},
			"", "NaN at byte 57",
		},
	} {
		config := event.Defaults()
		config.Topics[string(topics.TradeExecutions)] = c.fields
		e, err := event.NewDecoder(&config, nil, nil).Decode(record(c.value))
		if err != nil || e.ID != c.id || e.Type != c.kind || !e.Time.Equal(c.time) || e.Repaired != c.repaired {
			t.Errorf("%s: id %q, type %q, time %s, repaired %q, %v", name, e.ID, e.Type, e.Time, e.Repaired, err)
		}
		if v := e.Doc.Lookup(c.path...); v.Text() != c.text {
			t.Errorf("%s: %v is %s %q", name, c.path, v.Kind(), v.Text())
		}
	}
}
