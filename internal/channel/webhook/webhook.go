// Package webhook posts alerts as JSON, signed according to Standard Webhooks
// (https://www.standardwebhooks.com). Start at Channel.Send; classify.go maps
// HTTP statuses to causes.
package webhook

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
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

// payload is the JSON of the alert.
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
	Count       int       `json:"count"` // the new alerts and those throttled since the last message
	Duplicate   bool      `json:"may_be_duplicate,omitempty"`
	Replay      int       `json:"replay,omitempty"` // see channel.Message
	Resent      bool      `json:"resent,omitempty"` // see channel.Message
	Test        bool      `json:"test,omitempty"`
	LateSeconds float64   `json:"late_seconds,omitempty"`
	Shortened   bool      `json:"shortened,omitempty"` // see alert.Bound
	// EventOmitted: the receiver refused the request with the event as too large.
	EventOmitted bool    `json:"event_omitted,omitempty"`
	Digest       *digest `json:"digest,omitempty"`
	// Instead is the channel that the message was meant for, which cannot send.
	Instead *instead `json:"instead,omitempty"`
}

type instead struct {
	Channel string `json:"channel"`
	Cause   string `json:"cause"`
}

type field struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// render returns the body: {"alert": {…}, "event": …}. The event is the source
// record's value, unchanged; one that is not JSON is in event_base64. Without the
// event it is null.
func render(m channel.Message, withEvent bool) ([]byte, error) {
	a := m.Alert
	p := payload{
		ID: a.ID, Delivery: m.Delivery, Rule: a.Rule, Severity: string(a.Severity), Key: a.Key, Group: strings.Join(a.GroupParts(), "/"),
		Title: a.Title.String(), Text: a.Text.String(), Fields: make([]field, len(a.Fields)), State: "firing",
		EventTime: a.EventTime.UTC(), EventType: a.EventType, EventID: a.EventID, Topic: a.Topic, Runbook: alert.Link(a.Runbook), Shortened: a.Shortened,
		EventOmitted: !withEvent, Count: 1 + m.Suppressed, Duplicate: m.MayBeDuplicate, Replay: m.Replay, Resent: m.Resent, Test: m.Test,
	}
	if m.Digest != nil {
		p.Digest, p.Count = newDigest(m.Digest), m.Digest.New+m.Suppressed
	}
	if m.Instead != nil {
		p.Instead = (*instead)(m.Instead)
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
	b.Truncate(b.Len() - 1) // Encode's line break
	switch {
	case m.Event == nil, !withEvent:
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
