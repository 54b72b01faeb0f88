package slack

import (
	"context"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/httpsend"
)

// unescape reverts escape.
var unescape = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// unknown is the id of a first message, where a preview knows none.
const unknown = "0.0"

// Preview implements channel.Previewer. A resolved message of a bot is the replacement
// of the first one, and the reply to it. The text is what notifications and clients without
// blocks show.
func (c *Channel) Preview(m channel.Message) (channel.Preview, error) {
	name := "chat.postMessage"
	resolves := c.api != nil && m.Resolved() && m.Digest == nil
	switch {
	case c.api == nil:
		name = "webhook"
	case resolves:
		name = "chat.update"
		if m.Opened == "" {
			m.Opened = unknown
		}
	}
	r := c.render(m)
	body, err := json.Marshal(struct {
		Text        string             `json:"text"`
		Blocks      []slack.Block      `json:"blocks"`
		Attachments []slack.Attachment `json:"attachments"`
	}{r.text, r.head, r.attachments()})
	if err != nil {
		return channel.Preview{}, err
	}
	p := channel.Preview{
		Requests: httpsend.Record(func(ctx context.Context) { _, _ = c.Send(ctx, m) }),
		Parts:    []channel.Part{{Name: "text", Content: unescape.Replace(r.text)}, {Name: name, Content: channel.Readable(body)}},
		Lengths: []channel.Length{
			{Of: "text", Is: utf8.RuneCountInString(r.text), Limit: maxText, Unit: "characters"},
			{Of: "blocks", Is: size(r), Limit: maxBlocks, Unit: "characters"},
		},
	}
	if resolves {
		p.Parts = append(p.Parts, channel.Part{Name: "reply", Content: resolvedReply(m)})
	}
	return p, nil
}
