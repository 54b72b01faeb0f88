package console

import "github.com/algotrade/notifier/internal/channel"

// Preview implements channel.Previewer.
func (c *Channel) Preview(m channel.Message) (channel.Preview, error) {
	l := layout{width: c.out.Width(), channel: c.name, zone: c.zone}
	return channel.Preview{Parts: []channel.Part{{Name: "text", Content: string(l.block(m))}}}, nil
}
