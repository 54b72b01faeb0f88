package email

import (
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/channel"
)

// maxHTML is the length beyond which Gmail truncates a mail, in bytes.
const maxHTML = 102_000

// Preview implements channel.Previewer.
func (c *Channel) Preview(m channel.Message) (channel.Preview, error) {
	v := newView(m)
	html, err := v.html()
	if err != nil {
		return channel.Preview{}, err
	}
	title := subject(m)
	return channel.Preview{
		Parts: []channel.Part{{Name: "subject", Content: title}, {Name: "text", Content: v.text()}, {Name: "html", Content: html}},
		Lengths: []channel.Length{
			{Of: "subject", Is: utf8.RuneCountInString(title), Limit: maxSubject, Unit: "characters"},
			{Of: "html", Is: len(html), Limit: maxHTML, Unit: "bytes"},
		},
	}, nil
}
