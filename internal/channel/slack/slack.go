// Package slack posts alerts to one Slack channel, as a bot (chat.postMessage)
// or through an incoming webhook. slack-go builds blocks and makes the calls.
// classify.go evaluates the raw response, since slack-go takes {"ok":false} for
// a success and drops bodies and Retry-After. Start at Channel.Send in post.go.
package slack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/slack-go/slack"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/egress"
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
	webhook  string // the last valid URL
	rejected string // an invalid new URL that was logged
}

// New returns a channel. Texts from Slack pass through the redactor; nil: one
// for this configuration's secrets.
func New(config Config, redactor *secret.Redactor) (*Channel, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	if redactor == nil {
		redactor = secret.NewRedactor(config)
	}
	proxy, err := egress.NewProxy(config.Proxy.Reveal())
	if err != nil {
		return nil, fmt.Errorf("slack: proxy: %w", err)
	}
	c := &Channel{
		config: config, client: httpsend.New(2, nil, proxy, redactor), redactor: redactor,
		log: slog.New(slog.DiscardHandler), webhook: config.Webhook.Reveal(),
	}
	c.http = &http.Client{
		Transport:     transport{c.client, config.Token},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if !config.Token.IsZero() {
		// slack-go would send the token in the request's form, which servers and
		// proxies log: transport sends it as a header.
		c.api = slack.New("", slack.OptionHTTPClient(c.http), slack.OptionAPIURL(config.api()))
	}
	return c, nil
}

// SetLogger sets the logger for changes of the webhook, before the first Send.
func (c *Channel) SetLogger(log *slog.Logger) { c.log = log }

// webhookURL reads the URL again, so that it can change while the daemon runs.
// An invalid one is logged once and the last valid one is used.
func (c *Channel) webhookURL() string {
	current := c.config.Webhook.Current()
	c.mu.Lock()
	defer c.mu.Unlock()
	if current == c.webhook || current == c.rejected {
		return c.webhook
	}
	if err := c.config.checkWebhook(current); err != nil {
		c.rejected = current
		c.log.Warn("new Slack webhook URL is invalid, still using the previous one", "err", err)
		return c.webhook
	}
	c.webhook, c.rejected = current, ""
	c.log.Info("Slack webhook URL changed")
	return c.webhook
}

// Close closes the connections.
func (c *Channel) Close() error {
	c.client.Close()
	return nil
}

// call is the raw result of one call of slack-go.
type call struct {
	reply *httpsend.Reply
	err   error
}

type callKey struct{}

// transport makes the requests of slack-go. It sends the token in the
// Authorization header only (docs.slack.dev, "Using the Slack Web API") and
// stores the result in the context's call.
type transport struct {
	client *httpsend.Client
	token  secret.String // zero: an incoming webhook
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a, ok := req.Context().Value(callKey{}).(*call)
	if !ok {
		return nil, errors.New("request without a call in its context")
	}
	if !t.token.IsZero() {
		var err error
		if req, err = t.authorize(req); err != nil {
			return nil, err
		}
	}
	a.reply, a.err = t.client.Do(req)
	if a.err == nil && a.reply.Status/100 == 2 { // the body says whether it was delivered
		a.err = a.reply.Cut
	}
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{
		StatusCode: a.reply.Status, Status: http.StatusText(a.reply.Status), Header: a.reply.Header, Request: req,
		Body: io.NopCloser(bytes.NewReader(a.reply.Body)), ContentLength: int64(len(a.reply.Body)),
	}, nil
}

// authorize moves the token from the request's form to its header.
func (t transport) authorize(req *http.Request) (*http.Request, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the request body is not a form")
	}
	form.Del("token")
	text := form.Encode()
	req = req.Clone(req.Context())
	req.Body, req.ContentLength, req.GetBody = io.NopCloser(strings.NewReader(text)), int64(len(text)), nil
	req.Header.Set("Authorization", "Bearer "+t.token.Current())
	return req, nil
}
