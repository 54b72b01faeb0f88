package webhook

import "github.com/algotrade/notifier/internal/channel"

// Preview implements channel.Previewer. Headers, and so the signature, are not shown.
func (c *Channel) Preview(m channel.Message) (channel.Preview, error) {
	body, err := render(m, true)
	if err != nil {
		return channel.Preview{}, err
	}
	return channel.Preview{
		Parts:   []channel.Part{{Name: "body", Content: channel.Readable(body)}},
		Lengths: []channel.Length{{Of: "body", Is: len(body), Unit: "bytes"}},
	}, nil
}
