// Package webhook posts alerts as JSON, signed as Standard Webhooks
// (https://www.standardwebhooks.com) says. Start reading at Channel.Send;
// classify.go holds the table of answers.
package webhook

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// Channel posts to one URL.
type Channel struct {
	client   *httpsend.Client
	accesses accesses
}

// New returns a channel that makes up to concurrency posts at once. What it says
// goes through the redactor; nil is one that knows this configuration alone.
func New(config Config, concurrency int, redactor *secret.Redactor) (*Channel, error) {
	if redactor == nil {
		redactor = secret.NewRedactor(config)
	}
	first, err := newAccess(config)
	if err != nil {
		return nil, err
	}
	roots, err := egress.OpenRoots(config.CA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	return &Channel{
		client:   httpsend.New(concurrency, roots, redactor),
		accesses: accesses{config: config, held: first, log: slog.New(slog.DiscardHandler)},
	}, nil
}

// LogTo has changes of secrets be logged there, before the first post.
func (c *Channel) LogTo(log *slog.Logger) { c.accesses.log = log }

// Close closes the connections.
func (c *Channel) Close() error {
	c.client.Close()
	return nil
}

// Send posts m once.
func (c *Channel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	body, err := render(m)
	if err != nil {
		return channel.Receipt{}, outcome.Errorf(outcome.PayloadRefused, "the alert cannot be written as JSON: %v", err)
	}
	access := c.accesses.get()
	req := (&http.Request{
		Method: http.MethodPost, URL: access.url, Host: access.url.Host, ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header, 8), Body: readCloser{bytes.NewReader(body)}, ContentLength: int64(len(body)),
	}).WithContext(ctx)
	for name, value := range access.headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "notifier")
	req.Header["webhook-id"] = []string{m.Delivery}
	req.Header["webhook-timestamp"] = []string{strconv.FormatInt(m.Now.Unix(), 10)}
	if access.signer != nil {
		// Receivers refuse old timestamps, so each attempt has its own signature.
		signature, err := access.signer.Sign(m.Delivery, m.Now, body)
		if err != nil {
			return channel.Receipt{}, outcome.Errorf(outcome.Misconfigured, "the secret cannot sign")
		}
		req.Header["webhook-signature"] = []string{signature}
	}
	tracing.Inject(ctx, req.Header)
	reply, err := c.client.Do(req)
	if err != nil {
		return channel.Receipt{}, err
	}
	if err := access.classify(c.client, reply, body, m.MayBeRepeat); err != nil {
		return channel.Receipt{}, err
	}
	return channel.Receipt{Answer: access.answer(c.client, reply, body)}, nil
}

type readCloser struct{ *bytes.Reader }

// Close implements io.Closer.
func (readCloser) Close() error { return nil }

// payload is the default body. The event follows it as it came.
type payload struct {
	ID          string    `json:"id"`
	Delivery    string    `json:"delivery"`
	Rule        string    `json:"rule"`
	Severity    string    `json:"severity"`
	Key         []string  `json:"key"`
	Group       string    `json:"group"`
	Title       string    `json:"title"`
	Text        string    `json:"text,omitempty"`
	Fields      []field   `json:"fields"`
	State       string    `json:"state"` // firing
	EventTime   time.Time `json:"event_time"`
	EventType   string    `json:"event_type,omitempty"`
	EventID     string    `json:"event_id,omitempty"`
	Topic       string    `json:"topic"`
	Runbook     string    `json:"runbook,omitempty"`
	Count       int       `json:"count"` // 1, and what was throttled since the last message
	MayBeRepeat bool      `json:"may_be_repeat,omitempty"`
	Replay      int       `json:"replay,omitempty"` // a dead letter sent again, for which time
	Test        bool      `json:"test,omitempty"`   // a person tries the channel: nothing has happened
	LateSeconds float64   `json:"late_seconds,omitempty"`
	Shortened   bool      `json:"shortened,omitempty"` // something was cut: see alert.Bound
}

type field struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// render writes the body: {"alert": {…}, "event": …}. A source that is no JSON
// comes as event_base64.
func render(m channel.Message) ([]byte, error) {
	a := m.Alert
	p := payload{
		ID: a.ID, Delivery: m.Delivery, Rule: a.Rule, Severity: string(a.Severity), Key: a.Key, Group: a.KeyText(),
		Title: a.Title.String(), Text: a.Text.String(), Fields: make([]field, len(a.Fields)), State: "firing",
		EventTime: a.EventTime.UTC(), EventType: a.EventType, EventID: a.EventID, Topic: a.Topic, Runbook: alert.Link(a.Runbook), Shortened: a.Shortened,
		Count: 1 + m.Suppressed, MayBeRepeat: m.MayBeRepeat, Replay: m.Replay, Test: m.Test,
	}
	if p.Key == nil {
		p.Key = []string{}
	}
	for i, f := range a.Fields {
		p.Fields[i] = field{Label: f.Label, Value: f.Value.String()}
	}
	if late, is := m.Late(); is {
		p.LateSeconds = late.Seconds()
	}
	var b bytes.Buffer
	b.Grow(1024 + len(m.Event))
	b.WriteString(`{"alert":`)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		return nil, err
	}
	b.Truncate(b.Len() - 1) // the line break of Encode
	switch {
	case m.Event == nil:
		b.WriteString(`,"event":null}`)
	case json.Valid(m.Event):
		b.WriteString(`,"event":`)
		b.Write(m.Event)
		b.WriteByte('}')
	default:
		b.WriteString(`,"event":null,"event_base64":"`)
		b.WriteString(base64.StdEncoding.EncodeToString(m.Event))
		b.WriteString(`"}`)
	}
	return b.Bytes(), nil
}

// signingPrefix marks a secret whose key is base64 (Standard Webhooks).
const signingPrefix = "whsec_"

// signer takes a secret as Standard Webhooks writes it, whsec_ and base64, or
// any other text as the key itself.
func signer(secret string) (*standard.Webhook, error) {
	if strings.HasPrefix(secret, signingPrefix) {
		return standard.NewWebhook(secret)
	}
	return standard.NewWebhookRaw([]byte(secret))
}
