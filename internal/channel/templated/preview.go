package templated

import (
	"context"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/httpsend"
)

// budget is a limit of a text in a preset's body.
type budget struct {
	pointer string // to the text
	limit   int    // in units of the preset's medium
}

// Preview implements channel.Previewer. Headers are not shown.
func (c *Channel) Preview(m channel.Message) (channel.Preview, error) {
	body, err := c.render(m)
	if err != nil {
		return channel.Preview{}, err
	}
	p := channel.Preview{Requests: httpsend.Record(func(ctx context.Context) { _, _ = c.send(ctx, m) })}
	for i := range p.Requests {
		p.Parts = append(p.Parts, channel.Part{Name: "headers", Content: p.Requests[i].HeaderText()})
	}
	p.Parts = append(p.Parts, channel.Part{Name: "body", Content: channel.Readable(body)})
	var doc any
	if c.config.Body.node == nil && json.Unmarshal(body, &doc) == nil {
		for _, b := range c.preset.budgets {
			value, _ := lookup(doc, b.pointer)
			if text, ok := value.(string); ok {
				l := channel.Length{Of: strings.TrimPrefix(b.pointer, "/"), Is: c.preset.medium.size(text), Limit: b.limit, Unit: "characters"}
				if c.preset.medium.size("é") == 2 {
					l.Unit = "bytes"
				}
				p.Lengths = append(p.Lengths, l)
			}
		}
	}
	limit := maxBody
	if c.preset.body > 0 {
		limit = c.preset.body
	}
	p.Lengths = append(p.Lengths, channel.Length{Of: "body", Is: len(body), Limit: limit, Unit: "bytes"})
	if !utf8.Valid(body) {
		last := &p.Parts[len(p.Parts)-1]
		last.Content = strings.ToValidUTF8(last.Content, "�")
	}
	return p, nil
}
