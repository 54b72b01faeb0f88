package webhook

import (
	"context"
	"regexp"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/httpsend"
)

// unsigned is what is not shown of signatures.
var unsigned = regexp.MustCompile(`[A-Za-z0-9+/=]{20,}`)

// Preview implements channel.Previewer. The signatures are not shown: with one the
// message could be sent.
func (c *Channel) Preview(m channel.Message) (channel.Preview, error) {
	body, err := render(m, true)
	if err != nil {
		return channel.Preview{}, err
	}
	requests := httpsend.Record(func(ctx context.Context) { _, _ = c.Send(ctx, m) })
	headers := ""
	for i := range requests {
		if signatures := requests[i].Headers["webhook-signature"]; signatures != "" {
			requests[i].Headers["webhook-signature"] = unsigned.ReplaceAllString(signatures, "[made with the signing secret]")
		}
		headers = requests[i].HeaderText()
	}
	return channel.Preview{
		Requests: requests,
		Parts:    []channel.Part{{Name: "headers", Content: headers}, {Name: "body", Content: channel.Readable(body)}},
		Lengths:  []channel.Length{{Of: "body", Is: len(body), Unit: "bytes"}},
	}, nil
}
