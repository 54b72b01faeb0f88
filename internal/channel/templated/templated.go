// Package templated sends alerts as HTTP requests whose body and whose reading of the
// response are configuration: one's own, or a preset for a known provider. Bodies are
// marshalled here from values, so none is invalid JSON. Start at Channel.Send.
package templated

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// maxBody limits a request's body, in bytes.
const maxBody = 256 << 10

// Channel sends to one URL.
type Channel struct {
	config  Config
	preset  preset // the zero preset: none
	answers answers
	client  *httpsend.Client
	target  *httpsend.Rotating[*target]
}

// target is where to send, with which headers: the values of a configuration's secrets.
type target struct {
	url    *url.URL
	header http.Header
}

// New returns a channel for up to concurrency requests at once. Texts from the provider
// pass through the redactor; nil: one for this configuration's secrets.
func New(config Config, concurrency int, redactor *secret.Redactor) (*Channel, error) {
	if redactor == nil {
		redactor = secret.NewRedactor(config)
	}
	c := &Channel{config: config, answers: answers{success: []match{{status: success}}}}
	if p := presetOf(config.Preset); p != nil {
		c.preset, c.answers = *p, p.answers
	} else if config.Preset != "" || config.Body.node == nil {
		return nil, errors.New("needs a preset or a body")
	}
	c.answers.configure(config)
	secrets := slices.Concat([]secret.String{config.URL, config.Token, config.Topic}, slices.Collect(maps.Values(config.Headers)))
	var err error
	if c.target, err = httpsend.NewRotating("http channel's", secrets, c.newTarget); err != nil {
		return nil, err
	}
	if c.client, err = httpsend.Open(concurrency, config.CA, config.Proxy, redactor); err != nil {
		return nil, err
	}
	return c, nil
}

// configure replaces rules of a preset by those of a configuration.
func (a *answers) configure(c Config) {
	if !c.Success.isZero() {
		a.success = []match{c.Success.match()}
	}
	var own []rule
	if !c.Refused.isZero() {
		own = append(own, rule{c.Refused.match(), outcome.PayloadRefused})
	}
	if !c.Rate.isZero() {
		own = append(own, rule{c.Rate.match(), outcome.RateLimited})
	}
	a.rules = append(own, a.rules...)
	a.retryAfter, a.header = cmp.Or(c.RetryAfter.Pointer, a.retryAfter), c.RetryAfter.Header
}

// newTarget reads the current values of the secrets.
func (c *Channel) newTarget() (*target, error) {
	u, err := httpsend.ParseURL(cmp.Or(c.config.URL.Current(), c.preset.url))
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if httpsend.IsClear(u) && !c.config.Insecure && c.config.hasCredentials(u) {
		return nil, fmt.Errorf("url: %w", errClear)
	}
	token := c.config.Token.Current()
	if err := checkToken(c.preset.name, token); token != "" && err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	t := &target{url: u, header: http.Header{"User-Agent": {"notifier"}}}
	switch {
	case c.config.Encoding == "form":
		t.header.Set("Content-Type", "application/x-www-form-urlencoded")
	case c.config.Encoding == "text":
		t.header.Set("Content-Type", "text/plain; charset=utf-8")
	default:
		t.header.Set("Content-Type", "application/json")
	}
	if token != "" && c.preset.name != telegram.name {
		t.header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range c.config.Headers {
		text := value.Current()
		if strings.ContainsAny(text, "\r\n\x00") {
			return nil, fmt.Errorf("headers: %s contains a line break", name)
		}
		t.header.Set(name, text)
	}
	if c.preset.address != nil {
		c.preset.address(&c.config, t.url)
	}
	return t, nil
}

// SetLogger sets the logger for changes of secrets, before the first Send.
func (c *Channel) SetLogger(log *slog.Logger) { c.target.SetLogger(log) }

// Close closes the connections.
func (c *Channel) Close() error {
	c.client.Close()
	return nil
}

// Send sends m once. When the provider of a preset refuses its content, Send sends the
// title alone: a short alert is better than a dead letter.
func (c *Channel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	receipt, err := c.send(ctx, m)
	if err == nil || !c.answers.owned || c.config.Body.node != nil || outcome.Classify(err).Cause.Class().Scope != outcome.Message {
		return receipt, err
	}
	return c.send(ctx, titleOnly(m))
}

// titleOnly returns a message without text, fields, link and rows.
func titleOnly(m channel.Message) channel.Message {
	m.Alert.Text, m.Alert.Fields, m.Alert.Runbook, m.Alert.Shortened = nil, nil, "", true
	if m.Digest != nil {
		short := *m.Digest
		short.Items, m.Digest = nil, &short
	}
	return m
}

func (c *Channel) send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	content, err := c.render(m)
	switch {
	case err != nil:
		return channel.Receipt{}, outcome.Errorf(outcome.PayloadRefused, "the body cannot be made: %v", err)
	case len(content) > maxBody:
		return channel.Receipt{}, outcome.Errorf(outcome.PayloadTooLarge, "the body has %d bytes, more than %d", len(content), maxBody)
	}
	t := c.target.Current()
	req := (&http.Request{
		Method: cmp.Or(c.config.Method, http.MethodPost), URL: t.url, Host: t.url.Host, ProtoMajor: 1, ProtoMinor: 1,
		Header: t.header.Clone(), Body: io.NopCloser(bytes.NewReader(content)), ContentLength: int64(len(content)),
	}).WithContext(ctx)
	if !c.answers.owned { // a public provider has no use for our trace
		tracing.Inject(ctx, req.Header)
	}
	reply, err := c.client.Do(req)
	if err != nil {
		return channel.Receipt{}, err
	}
	said, detail := parse(reply.Body), describe(c.client, t.url.Host, reply, content)
	if e := c.answers.classify(reply, said, t.url.Host, detail); e != nil {
		e.Do = cmp.Or(e.Do, c.preset.remedy[e.Cause])
		return channel.Receipt{}, e
	}
	receipt := channel.Receipt{Answer: detail}
	if id, ok := lookup(said, c.answers.receipt); ok && c.answers.receipt != "" {
		receipt = channel.Receipt{ID: scalar(id), Answer: fmt.Sprintf("%s returned %d", t.url.Host, reply.Status)}
	}
	return receipt, nil
}

// render returns the request's body.
func (c *Channel) render(m channel.Message) ([]byte, error) {
	n := c.config.Body.node
	var b bytes.Buffer
	if n == nil {
		err := write(&b, c.preset.render(&c.config, m))
		return b.Bytes(), err
	}
	r := body{alert: alertValue(m), medium: escapes["none"], limit: c.config.MaxText}
	if c.config.Escape != "" {
		r.medium = escapes[c.config.Escape]
	} else if c.preset.name != "" {
		r.medium = c.preset.medium
		r.medium.literal = asIs // it is the configuration's own markup
	}
	switch c.config.Encoding {
	case "form":
		form, err := r.form(n)
		return []byte(form), err
	case "text":
		text, err := r.text(n)
		return []byte(text), err
	}
	err := r.json(&b, n)
	return b.Bytes(), err
}

// Verify implements channel.Verifier: name, address and certificate. It makes no
// request, since any may be a message.
func (c *Channel) Verify(ctx context.Context) []check.Result {
	found := c.client.Verify(ctx, c.target.Current().url)
	return append(found, check.Skipf("receiver", "the receiver itself cannot be verified without sending an alert"))
}
