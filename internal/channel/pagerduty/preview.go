package pagerduty

import (
	"context"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/httpsend"
)

// Preview implements channel.Previewer.
func (c *Channel) Preview(m channel.Message) (channel.Preview, error) {
	e := eventOf(m)
	e.RoutingKey = "[redacted]"
	body, err := e.encode()
	if err != nil {
		return channel.Preview{}, err
	}
	p := channel.Preview{
		Textless: e.Payload == nil,
		Requests: httpsend.Record(func(ctx context.Context) { _, _ = c.post(ctx, eventOf(m)) }),
		Parts:    []channel.Part{{Name: "event", Content: channel.Readable(body)}},
		Lengths: []channel.Length{
			{Of: "dedup_key", Is: utf8.RuneCountInString(e.DedupKey), Limit: maxDedup, Unit: "characters"},
			{Of: "event", Is: len(body), Limit: maxEvent, Unit: "bytes"},
		},
	}
	if e.Payload != nil {
		p.Lengths = append(p.Lengths, channel.Length{Of: "summary", Is: utf8.RuneCountInString(e.Payload.Summary), Limit: maxSummary, Unit: "characters"})
	}
	return p, nil
}
