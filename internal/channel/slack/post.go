package slack

import (
	"context"
	"regexp"
	"strings"

	"github.com/slack-go/slack"

	"github.com/algotrade/notifier/internal/channel"
)

// Send makes one attempt. A webhook posts m. A bot has a thread for each alert key:
//
//   - the first message about what an alert is about is posted to the channel,
//   - later ones are replies to it, those about a more severe alert in the channel too,
//   - when it is over, the first message is replaced, and a reply says so: nobody is
//     notified of a replacement,
//   - a digest replaces an earlier one.
//
// Where Slack refuses a replacement or a reply, because there is no such message any
// more or it cannot be changed, m is posted to the channel. Where it refuses the content,
// the text is sent without blocks.
func (c *Channel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	first := c.thread(m)
	switch {
	case c.api != nil && m.Digest != nil && m.Digest.Edit != "":
		if receipt, err := c.replace(ctx, m.Digest.Edit, m); !editRefused(err) {
			return receipt, err
		}
	case first != "" && m.Resolved():
		receipt, err := c.replace(ctx, first, m)
		switch {
		case err == nil:
			return receipt, c.replyResolved(ctx, first, m)
		case !editRefused(err):
			return receipt, err
		}
	case first != "":
		if receipt, err := c.post(ctx, m, slack.MsgOptionTS(first), broadcast(m)); !named(err, replyRefusals) {
			return receipt, err
		}
	}
	return c.post(ctx, m)
}

// timestamp matches the id of a message of Slack's.
var timestamp = regexp.MustCompile(`^[0-9]{1,20}\.[0-9]{1,10}$`)

// thread returns the id of the message whose thread m belongs to; empty: m begins one.
func (c *Channel) thread(m channel.Message) string {
	if c.api == nil || m.Digest != nil || m.Test || !timestamp.MatchString(m.Opened) {
		return ""
	}
	return m.Opened
}

// broadcast shows a reply in the channel too, if its alert is more severe than what was
// told before.
func broadcast(m channel.Message) slack.MsgOption {
	if m.Raised && !m.Reminder {
		return slack.MsgOptionBroadcast()
	}
	return slack.MsgOptionCompose()
}

// replace replaces the message ts by m. Doing so twice is doing it once.
func (c *Channel) replace(ctx context.Context, ts string, m channel.Message) (channel.Receipt, error) {
	m.MayBeDuplicate = false
	r := c.render(m)
	return c.call(ctx, func(ctx context.Context) {
		_, _, _, _ = c.api.UpdateMessageContext(ctx, c.config.Channel, ts, r.options()...) // the error is in the call
	})
}

// replyResolved says in the thread of a message that was replaced that it is over. A
// refusal of that reply does not matter: the message says it.
func (c *Channel) replyResolved(ctx context.Context, first string, m channel.Message) error {
	_, err := c.postRendered(ctx, rendered{text: escape(resolvedReply(m))}, slack.MsgOptionTS(first))
	if named(err, replyRefusals) || contentRefused(err) {
		return nil
	}
	return err
}

// resolvedReply is the text of that reply.
func resolvedReply(m channel.Message) string {
	text := "✅ Resolved"
	if after, ok := strings.CutPrefix(m.SpanLabel(), "resolved"); ok {
		text += after
	}
	if m.MayBeDuplicate {
		text += " (may be a duplicate)"
	}
	return text
}

// post posts m as a new message, once more as plain text if Slack refuses its content.
func (c *Channel) post(ctx context.Context, m channel.Message, more ...slack.MsgOption) (channel.Receipt, error) {
	r := c.render(m)
	receipt, err := c.postRendered(ctx, r, more...)
	if !contentRefused(err) || named(err, replyRefusals) {
		return receipt, err
	}
	return c.postRendered(ctx, rendered{text: r.text}, more...)
}

// postRendered posts a message as it is.
func (c *Channel) postRendered(ctx context.Context, r rendered, more ...slack.MsgOption) (channel.Receipt, error) {
	return c.call(ctx, func(ctx context.Context) {
		if c.api != nil {
			_, _, _ = c.api.PostMessageContext(ctx, c.config.Channel, append(r.options(), more...)...) // the error is in the call
			return
		}
		no := false
		w := &slack.WebhookMessage{Text: r.text, Parse: "none", UnfurlLinks: &no, UnfurlMedia: &no}
		if r.head != nil {
			w.Blocks, w.Attachments = &slack.Blocks{BlockSet: r.head}, r.attachments()
		}
		_ = slack.PostWebhookCustomHTTPContext(ctx, c.webhookURL(), c.http, w) // the error is in the call
	})
}

// options are the arguments of a call of the Web API.
func (r rendered) options() []slack.MsgOption {
	options := []slack.MsgOption{
		slack.MsgOptionText(r.text, false), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(), slack.MsgOptionDisableMarkdown(),
	}
	if r.head != nil {
		options = append(options, slack.MsgOptionBlocks(r.head...), slack.MsgOptionAttachments(r.attachments()...))
	}
	return options
}

// call makes a call of slack-go and classifies its raw result.
func (c *Channel) call(ctx context.Context, do func(context.Context)) (channel.Receipt, error) {
	a, id := &call{}, ""
	do(context.WithValue(ctx, callKey{}, a))
	err := error(nil)
	if c.api != nil {
		id, err = c.apiOutcome(a)
	} else {
		err = c.webhookOutcome(a)
	}
	if err != nil {
		return channel.Receipt{}, err
	}
	return channel.Receipt{ID: id, Answer: "Slack returned ok"}, nil
}
