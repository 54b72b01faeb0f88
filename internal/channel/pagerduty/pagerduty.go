// Package pagerduty triggers alerts with PagerDuty's Events API v2
// (https://developer.pagerduty.com/docs/events-api-v2/overview/). The dedup key makes a
// repeated event harmless, so no outcome is ambiguous. Start at Channel.Send.
package pagerduty

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// Channel sends events to one integration.
type Channel struct {
	client   *httpsend.Client
	endpoint *url.URL
	key      *httpsend.Rotating[string]
	redactor *secret.Redactor
}

// New returns a channel for up to concurrency requests at once. Texts from PagerDuty
// pass through the redactor; nil: one for this configuration's secrets.
func New(config Config, concurrency int, redactor *secret.Redactor) (*Channel, error) {
	if redactor == nil {
		redactor = secret.NewRedactor(config)
	}
	endpoint, err := config.endpoint()
	if err != nil {
		return nil, err
	}
	key, err := httpsend.NewRotating("PagerDuty", []secret.String{config.RoutingKey}, func() (string, error) {
		key := config.RoutingKey.Current()
		return key, checkKey(key)
	})
	if err != nil {
		return nil, err
	}
	client, err := httpsend.Open(concurrency, config.CA, config.Proxy, redactor)
	if err != nil {
		return nil, err
	}
	return &Channel{client: client, endpoint: endpoint, key: key, redactor: redactor}, nil
}

// SetLogger sets the logger for changes of the routing key, before the first Send.
func (c *Channel) SetLogger(log *slog.Logger) { c.key.SetLogger(log) }

// Close closes the connections.
func (c *Channel) Close() error {
	c.client.Close()
	return nil
}

// Send triggers m, or resolves what m says is over. The alert of a test is resolved at
// once.
func (c *Channel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	e := eventOf(m)
	receipt, err := c.post(ctx, e)
	if err != nil || !m.Test {
		return receipt, err
	}
	if _, err := c.post(ctx, event{Action: "resolve", DedupKey: e.DedupKey}); err != nil {
		receipt.Answer += "; resolve the test's incident yourself: " + outcome.Classify(err).Detail
		return receipt, nil
	}
	receipt.Answer += "; the test's incident is resolved"
	return receipt, nil
}

func (c *Channel) post(ctx context.Context, e event) (channel.Receipt, error) {
	e.RoutingKey = c.key.Current()
	body, err := e.encode()
	if err != nil {
		return channel.Receipt{}, outcome.Errorf(outcome.PayloadRefused, "the alert cannot be encoded as JSON: %v", err)
	}
	req := (&http.Request{
		Method: http.MethodPost, URL: c.endpoint, Host: c.endpoint.Host, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"notifier"}}, Body: io.NopCloser(bytes.NewReader(body)),
	}).WithContext(ctx)
	reply, err := c.client.Do(req)
	if err != nil {
		return channel.Receipt{}, harmless(err)
	}
	if err := c.classify(reply, body); err != nil {
		return channel.Receipt{}, err
	}
	return channel.Receipt{ID: e.DedupKey, Answer: "PagerDuty accepted the event"}, nil
}

// Verify implements channel.Verifier: name, address, certificate and the form of the
// key. It makes no request, since each is an event.
func (c *Channel) Verify(ctx context.Context) []check.Result {
	found := c.client.Verify(ctx, c.endpoint)
	found = append(found, check.Okf("routing key", "has the form of an integration key"))
	return append(found, check.Skipf("PagerDuty", "whether it knows the routing key cannot be verified without an event"))
}
