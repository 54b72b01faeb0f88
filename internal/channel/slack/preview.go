package slack

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/algotrade/notifier/internal/channel"
)

// Preview implements channel.Previewer. A resolved message of a bot is the replacement
// of the first one, and the reply to it.
func (c *Channel) Preview(m channel.Message) (channel.Preview, error) {
	name := "chat.postMessage"
	resolves := c.api != nil && m.Resolved() && m.Digest == nil
	switch {
	case c.api == nil:
		name = "webhook"
	case resolves:
		name = "chat.update"
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
		Parts: []channel.Part{{Name: name, Content: channel.Readable(body)}},
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
