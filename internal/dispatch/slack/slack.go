// Package slack posts alerts to one Slack channel, as a bot (chat.postMessage)
// or through an incoming webhook. slack-go builds blocks and makes the calls;
// what became of them is judged from the raw answer (classify.go), since
// slack-go takes {"ok":false} for a success and loses bodies and Retry-After.
// Start reading at Channel.Send; render.go lays a message out.
package slack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/slack-go/slack"

	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/dispatch/posting"
	"github.com/algotrade/notifier/internal/outcome"
)

// Channel posts to one Slack channel.
type Channel struct {
	config Config
	client *posting.Client
	http   *http.Client
	api    *slack.Client // nil: an incoming webhook
}

// New returns a channel.
func New(config Config) (*Channel, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	c := &Channel{config: config, client: posting.New(2, nil)}
	c.http = &http.Client{
		Transport:     capturing{c.client},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if !config.Token.IsZero() {
		c.api = slack.New(config.Token.Reveal(), slack.OptionHTTPClient(c.http), slack.OptionAPIURL(config.api()))
	}
	return c, nil
}

// Close closes the connections.
func (c *Channel) Close() error {
	c.client.Close()
	return nil
}

// Send posts m. A message that Slack refuses for what it looks like is posted
// once again as plain text: an ugly alert is better than none.
func (c *Channel) Send(ctx context.Context, m dispatch.Message) (dispatch.Receipt, error) {
	r := c.render(m)
	receipt, err := c.post(ctx, r.text, r.blocks)
	if err == nil || outcome.Classify(err).Cause.Class().Scope != outcome.Message {
		return receipt, err
	}
	return c.post(ctx, r.text, nil)
}

func (c *Channel) post(ctx context.Context, text string, blocks []slack.Block) (dispatch.Receipt, error) {
	a := &answer{}
	ctx = context.WithValue(ctx, answerKey{}, a)
	if c.api == nil {
		no := false
		w := &slack.WebhookMessage{Text: text, Parse: "none", UnfurlLinks: &no, UnfurlMedia: &no}
		if blocks != nil {
			w.Blocks = &slack.Blocks{BlockSet: blocks}
		}
		_ = slack.PostWebhookCustomHTTPContext(ctx, c.config.Webhook.Reveal(), c.http, w) // the answer says more
		return answered("", c.webhookOutcome(a))
	}
	options := []slack.MsgOption{
		slack.MsgOptionText(text, false), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(), slack.MsgOptionDisableMarkdown(),
	}
	if blocks != nil {
		options = append(options, slack.MsgOptionBlocks(blocks...))
	}
	_, _, _ = c.api.PostMessageContext(ctx, c.config.Channel, options...) // the answer says more
	return answered(c.apiOutcome(a))
}

func answered(ts string, err error) (dispatch.Receipt, error) {
	if err != nil {
		return dispatch.Receipt{}, err
	}
	return dispatch.Receipt{ID: ts, Answer: "Slack answers ok"}, nil
}

// answer is what one call brought, kept beside slack-go.
type answer struct {
	reply *posting.Reply
	err   error
}

type answerKey struct{}

// capturing keeps the answer of each request in the answer that its context
// carries.
type capturing struct{ client *posting.Client }

// RoundTrip implements http.RoundTripper.
func (t capturing) RoundTrip(req *http.Request) (*http.Response, error) {
	a, ok := req.Context().Value(answerKey{}).(*answer)
	if !ok {
		return nil, fmt.Errorf("a call that nobody made")
	}
	a.reply, a.err = t.client.Do(req)
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{
		StatusCode: a.reply.Status, Status: http.StatusText(a.reply.Status), Header: a.reply.Header, Request: req,
		Body: io.NopCloser(bytes.NewReader(a.reply.Body)), ContentLength: int64(len(a.reply.Body)),
	}, nil
}
