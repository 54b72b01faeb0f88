package rule_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/topics"
)

// execution is an event of the usual size that no rule matches.
const execution = `{"event_id":"e123456","event_type":"trade_execution","session_id":"s12","strategy_id":"mean-reversion-7","account_id":"ACC-0042","order_id":"o-123456","symbol":"AAPL","side":"BUY","order_type":"LIMIT",` +
	`"quantity":117,"price":187.42,"filled_quantity":100,"average_fill_price":187.41,"commission":0.35,"currency":"USD","venue":"XNAS","status":"FILLED","timestamp":"2026-11-30T11:59:58.123456789Z"}`

// BenchmarkQuiet recognises a quiet event with a prefilter, and decodes and matches it.
func BenchmarkQuiet(b *testing.B) {
	var hundred []string
	for i := range 100 {
		hundred = append(hundred, fmt.Sprintf(`event.event_type in ["order.a%d", "order.b%d"] and event.quantity > %d`, i, i, i))
	}
	rec := record(execution)
	for name, set := range map[string]*rule.Set{
		"one rule":         conditions(b, `event.status == "REJECTED" and event.quantity * event.price > 10000`),
		"the defaults":     defaults(b),
		"a hundred rules":  conditions(b, hundred...),
		"ten without pins": conditions(b, slices.Repeat([]string{`event.quantity > 1000 or event.price > 500`}, 10)...),
	} {
		f := filter(set)
		b.Run("prefilter/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(execution)))
			b.ReportAllocs()
			for b.Loop() {
				if !f.prefilter.Quiet(rec, arrived, nil) {
					b.Fatal("not quiet")
				}
			}
		})
		b.Run("decode/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(execution)))
			b.ReportAllocs()
			for b.Loop() {
				e, err := f.decoder.Decode(rec)
				if err != nil {
					b.Fatal(err)
				}
				match(b, f.set, &e, arrived)
			}
		})
	}
}

// BenchmarkMatch evaluates the default rules on an event that none matches and on
// one that raises an alert.
func BenchmarkMatch(b *testing.B) {
	set := defaults(b)
	for name, doc := range map[string]string{
		"quiet":   `{"event_type":"order.accepted","event_id":"e1","account_id":"ACC-1","symbol":"AAPL","side":"buy","mode":"live","order_qty":"100","notional":"4125.00"}`,
		"alerted": `{"event_type":"order.rejected","event_id":"e1","account_id":"ACC-1","symbol":"AAPL","side":"buy","mode":"live","order_qty":"100","limit_price":"41.25","reason":"insufficient buying power"}`,
	} {
		e, err := event.NewDecoder(nil, set.Reads(), nil).Decode(event.Record{Topic: string(topics.TradeExecutions), Value: []byte(doc), Time: time.Now()})
		if err != nil {
			b.Fatal(err)
		}
		now := time.Now()
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := set.Match(&e, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSchema is BenchmarkQuiet with the default rules for an event that the shipped
// schema accepts: without a schema, with that one, which a scan decides, and with one of
// alternatives, for which every event is decoded.
func BenchmarkSchema(b *testing.B) {
	const accepted = `{"event_id":"e123456","event_type":"order.accepted","occurred_at":"2026-11-30T11:59:58.123456789Z","session_id":"s12","strategy_id":"mean-reversion-7","account_id":"ACC-0042","order_id":"o-123456","symbol":"AAPL","side":"buy","order_type":"limit",` +
		`"order_qty":"117","limit_price":"187.42","cum_qty":"100","avg_price":"187.41","commission":"0.35","currency":"USD","venue":"XNAS","mode":"live"}`
	rec, set := record(accepted), defaults(b)
	shipped := string(configs.Schema(topics.TradeExecutions))
	for name, text := range map[string]string{"none": "", "shipped": shipped, "alternatives": `{"allOf": [` + shipped + `], "anyOf": [{"required": ["symbol"]}, {"required": ["account_id"]}]}`} {
		checks := make(map[string]event.Check)
		if text != "" {
			text = strings.ReplaceAll(text, `"#/$defs/`, `"#/allOf/0/$defs/`)
			if name == "shipped" {
				text = shipped
			}
			checks["trade-executions"] = event.Check{Schema: shape(b, text, false)[topics.TradeExecutions].Schema.(event.JSONSchema), Reject: true}
		}
		d := event.NewDecoder(nil, nil, nil).Checking(checks).Keeping(set.Reads())
		f := filtered{set, d, set.Prefilter(d)}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(accepted)))
			b.ReportAllocs()
			for b.Loop() {
				if f.prefilter.Quiet(rec, arrived, nil) {
					continue
				}
				e, err := d.Decode(rec)
				if err != nil {
					b.Fatal(err)
				}
				match(b, set, &e, arrived)
			}
		})
	}
}
