package rule_test

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

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
