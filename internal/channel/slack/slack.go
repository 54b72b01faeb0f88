// Package slack posts alerts to one Slack channel, as a bot (chat.postMessage)
// or through an incoming webhook. slack-go builds blocks and makes the calls;
// what became of them is judged from the raw answer (classify.go), since
// slack-go takes {"ok":false} for a success and loses bodies and Retry-After.
// Start reading at Channel.Send; render.go lays a message out.
package slack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/slack-go/slack"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// Channel posts to one Slack channel.
type Channel struct {
	config   Config
	client   *httpsend.Client
	http     *http.Client
	api      *slack.Client // nil: an incoming webhook
	redactor *secret.Redactor

	mu       sync.Mutex
	log      *slog.Logger
	webhook  string // the URL, as it was last read and of use
	unusable string // a changed one that cannot be used, and that was said
}

// New returns a channel. What it says goes through the redactor; nil is one that
// knows this configuration alone.
func New(config Config, redactor *secret.Redactor) (*Channel, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	if redactor == nil {
		redactor = secret.NewRedactor(config)
	}
	c := &Channel{
		config: config, client: httpsend.New(2, nil, redactor), redactor: redactor,
		log: slog.New(slog.DiscardHandler), webhook: config.Webhook.Reveal(),
	}
	c.http = &http.Client{
		Transport:     transport{c.client, config.Token},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if !config.Token.IsZero() {
		// slack-go would put the token into the form of each request, which servers
		// and proxies log and repeat: it does not get it, see transport.
		c.api = slack.New("", slack.OptionHTTPClient(c.http), slack.OptionAPIURL(config.api()))
	}
	return c, nil
}

// LogTo has changes of the webhook be logged there, before the first post.
func (c *Channel) LogTo(log *slog.Logger) { c.log = log }

// hook returns the webhook's URL. It is read again for every post, so that it can
// change while the daemon runs; one that cannot be used leaves what it was
// before in force, which the log says once.
func (c *Channel) hook() string {
	now := c.config.Webhook.Current()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now == c.webhook || now == c.unusable {
		return c.webhook
	}
	if err := c.config.checkWebhook(now); err != nil {
		c.unusable = now
		c.log.Warn("the changed webhook of Slack cannot be used, posts go to what it was before", "err", err)
		return c.webhook
	}
	c.webhook, c.unusable = now, ""
	c.log.Info("the webhook of Slack has changed, posts go to what it is now")
	return c.webhook
}

// Close closes the connections.
func (c *Channel) Close() error {
	c.client.Close()
	return nil
}

// Send posts m. A message that Slack refuses for what it looks like is posted
// once again as plain text: an ugly alert is better than none.
func (c *Channel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	r := c.render(m)
	receipt, err := c.post(ctx, r.text, r.blocks)
	if err == nil || outcome.Classify(err).Cause.Class().Scope != outcome.Message {
		return receipt, err
	}
	return c.post(ctx, r.text, nil)
}

func (c *Channel) post(ctx context.Context, text string, blocks []slack.Block) (channel.Receipt, error) {
	a := &answer{}
	ctx = context.WithValue(ctx, answerKey{}, a)
	if c.api == nil {
		no := false
		w := &slack.WebhookMessage{Text: text, Parse: "none", UnfurlLinks: &no, UnfurlMedia: &no}
		if blocks != nil {
			w.Blocks = &slack.Blocks{BlockSet: blocks}
		}
		_ = slack.PostWebhookCustomHTTPContext(ctx, c.hook(), c.http, w) // the answer says more
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

func answered(ts string, err error) (channel.Receipt, error) {
	if err != nil {
		return channel.Receipt{}, err
	}
	return channel.Receipt{ID: ts, Answer: "Slack answers ok"}, nil
}

// answer is what one call brought, kept beside slack-go.
type answer struct {
	reply *httpsend.Reply
	err   error
}

type answerKey struct{}

// transport makes the requests of slack-go: the token travels in the header
// Authorization alone (docs.slack.dev, "Using the Slack Web API"), and the answer
// is kept in the answer that the context carries.
type transport struct {
	client *httpsend.Client
	token  secret.String // zero: an incoming webhook
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a, ok := req.Context().Value(answerKey{}).(*answer)
	if !ok {
		return nil, fmt.Errorf("a call that nobody made")
	}
	if !t.token.IsZero() {
		var err error
		if req, err = t.authorize(req); err != nil {
			return nil, err
		}
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

// authorize returns the request with the token as a header, and without the
// form's field for it.
func (t transport) authorize(req *http.Request) (*http.Request, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the request is no form")
	}
	form.Del("token")
	text := form.Encode()
	req = req.Clone(req.Context())
	req.Body, req.ContentLength, req.GetBody = io.NopCloser(strings.NewReader(text)), int64(len(text)), nil
	req.Header.Set("Authorization", "Bearer "+t.token.Current())
	return req, nil
}
