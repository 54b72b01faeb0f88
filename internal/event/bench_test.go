package event_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

// BenchmarkDecode decodes a sample: plain, compressed, and with few members kept.
func BenchmarkDecode(b *testing.B) {
	var sample string
	for _, s := range configs.Samples() {
		if s.Topic == topics.TradeExecutions && strings.HasPrefix(s.Name, "order.filled") {
			sample = string(s.Data)
		}
	}
	if sample == "" {
		b.Fatal("there is no sample of order.filled")
	}
	for name, value := range map[string]string{"plain": sample, "gzip": packed(b, sample), "zstd": zstded(b, sample)} {
		b.Run(name, func(b *testing.B) { decodes(b, value) })
	}
	b.Run("snapshot", func(b *testing.B) { // what a large account sends
		var positions []string
		for i := range 500 {
			positions = append(positions, fmt.Sprintf(`{"symbol":"S%04d","qty":"%d","avg_price":"12.50","weight":0.002}`, i, i))
		}
		decodes(b, `{"event_type":"portfolio.snapshot","positions":[`+strings.Join(positions, ",")+`]}`)
	})
}

func decodes(b *testing.B, value string) {
	reads := map[string][]string{string(topics.TradeExecutions): {"mode", "reconciliation", "notional", "reason", "positions"}}
	d := event.NewDecoder(nil, reads, nil)
	rec := record(value)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Decode(rec); err != nil {
			b.Fatal(err)
		}
	}
}
