// Package webhook posts alerts as JSON, signed according to Standard Webhooks
// (https://www.standardwebhooks.com). Start at Channel.Send; classify.go maps
// HTTP statuses to causes.
package webhook

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// Channel posts to one URL.
type Channel struct {
	client  *httpsend.Client
	targets *httpsend.Rotating[*target]
}

// New returns a channel for up to concurrency requests at once. Texts from the
// receiver pass through the redactor; nil: one for this configuration's
// secrets.
func New(config Config, concurrency int, redactor *secret.Redactor) (*Channel, error) {
	if redactor == nil {
		redactor = secret.NewRedactor(config)
	}
	targets, err := httpsend.NewRotating("webhook", config.secrets(), func() (*target, error) { return newTarget(config) })
	if err != nil {
		return nil, err
	}
	client, err := httpsend.Open(concurrency, config.CA, config.Proxy, redactor)
	if err != nil {
		return nil, err
	}
	return &Channel{client: client, targets: targets}, nil
}

// SetLogger sets the logger for changes of secrets, before the first Send.
func (c *Channel) SetLogger(log *slog.Logger) { c.targets.SetLogger(log) }

// Close closes the connections.
func (c *Channel) Close() error {
	c.client.Close()
	return nil
}

// Send posts m once. When the receiver refuses its size, Send posts it again
// without the event.
func (c *Channel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	receipt, err := c.post(ctx, m, true)
	if err != nil && m.Event != nil && outcome.Classify(err).Cause == outcome.PayloadTooLarge {
		return c.post(ctx, m, false)
	}
	return receipt, err
}

func (c *Channel) post(ctx context.Context, m channel.Message, withEvent bool) (channel.Receipt, error) {
	body, err := render(m, withEvent)
	if err != nil {
		return channel.Receipt{}, outcome.Errorf(outcome.PayloadRefused, "the alert cannot be encoded as JSON: %v", err)
	}
	target := c.targets.Current()
	req := (&http.Request{
		Method: http.MethodPost, URL: target.url, Host: target.url.Host, ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, 8), Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}).WithContext(ctx)
	for name, value := range target.headers {
		req.Header.Set(name, value)
	}
	own := [...]string{"application/json", "notifier", m.Delivery, strconv.FormatInt(m.Now.Unix(), 10)}
	for i, name := range [...]string{"Content-Type", "User-Agent", "webhook-id", "webhook-timestamp"} {
		req.Header[name] = own[i : i+1 : i+1]
	}
	if len(target.signers) > 0 {
		// Receivers refuse old timestamps, so each attempt has its own signatures.
		signatures := make([]string, len(target.signers))
		for i, signer := range target.signers {
			if signatures[i], err = signer.Sign(m.Delivery, m.Now, body); err != nil {
				return channel.Receipt{}, outcome.Errorf(outcome.Misconfigured, "signing failed: check secret")
			}
		}
		req.Header["webhook-signature"] = []string{strings.Join(signatures, " ")}
	}
	tracing.Inject(ctx, req.Header)
	reply, err := c.client.Do(req)
	if err != nil {
		return channel.Receipt{}, err
	}
	if err := target.classify(c.client, reply, body, m.MayBeDuplicate); err != nil {
		return channel.Receipt{}, err
	}
	return channel.Receipt{Answer: target.describe(c.client, reply, body)}, nil
}
