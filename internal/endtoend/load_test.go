//go:build synctests

package endtoend

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

const trialRules = `
version: 1
rules:
  - {name: both, topic: [trade-executions, portfolio-updates], when: event.alert == "both", to: [calm, rough], title: "{{ event.n }}"}
  - {name: calm, topic: [trade-executions, portfolio-updates], when: event.alert == "calm", to: [calm], title: "{{ event.n }}"}
`

// original is one source record and what is to become of it.
type original struct {
	n      int
	record *kgo.Record // with its partition and offset once it was written
	to     []string    // the channels that it alerts
	poison bool        // it cannot be decoded
}

// drawLoad draws n events: alerts for one channel or both, quiet ones, and
// poison, with keys and headers of every kind.
func drawLoad(random *rand.Rand, n int) []*original {
	keys := [][]byte{nil, nil, {}, {}, []byte("k\xff\x00"), bytes.Repeat([]byte("long"), 400)}
	for i := range 6 {
		keys = append(keys, fmt.Append(nil, "key-", i))
	}
	events := make([]*original, n)
	for i := range events {
		e := &original{n: i, record: &kgo.Record{Topic: string(topics.TradeExecutions), Key: keys[random.IntN(len(keys))], Headers: drawHeaders(random)}}
		if random.IntN(4) == 0 {
			e.record.Topic = string(topics.PortfolioUpdates)
		}
		switch x := random.IntN(100); {
		case x < 40:
			e.to = []string{"calm", "rough"}
			e.record.Value = fmt.Appendf(nil, `{"alert":"both","n":%d}`, i)
		case x < 60:
			e.to = []string{"calm"}
			e.record.Value = fmt.Appendf(nil, ` {"n" : %d, "alert":"calm", "pad":"%s"}`, i, strings.Repeat("é", random.IntN(40)))
		case x < 64:
			e.poison = true
			e.record.Value = drawPoison(random)
		case x < 66:
			e.record.Value = nil // a tombstone is skipped
		default:
			e.record.Value = fmt.Appendf(nil, `{"alert":null,"n":%d}`, i)
		}
		events[i] = e
	}
	return events
}

func drawPoison(random *rand.Rand) []byte {
	switch random.IntN(5) {
	case 0:
		return []byte{}
	case 1:
		return []byte(`{"alert":"both","n":`)
	case 2:
		return []byte(`[1,2,3]`)
	case 3:
		return []byte("\xff\xfe\x00\x80")
	default:
		b := make([]byte, 1+random.IntN(60))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		b[0] = 0x01 // nothing that we take for a format
		return b
	}
}

func drawHeaders(random *rand.Rand) []kgo.RecordHeader {
	var headers []kgo.RecordHeader
	for range random.IntN(4) {
		h := kgo.RecordHeader{Key: []string{"", "same", "same", "notifier.channel", "traceparent"}[random.IntN(5)]}
		switch random.IntN(3) {
		case 0:
			h.Value = []byte{}
		case 1:
			h.Value = []byte("plain")
		default:
			h.Value = []byte{0xff, 0, byte(random.Uint32())}
		}
		headers = append(headers, h)
	}
	return headers
}
