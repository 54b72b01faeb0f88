// Package httpsend makes one HTTP request for a channel and says what became of
// it. It never follows a redirect, never sends again by itself, reads at most
// 64 KiB of the answer, and knows whether the request had been written when
// the connection failed: that is the difference between sending again and
// perhaps sending twice. Start reading at Client.Do.
package httpsend

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

const (
	// MaxReply is how much of an answer is kept, in bytes, and how large its headers
	// may be, those of 1xx answers before it included.
	MaxReply = 64 << 10
	// maxText is the longest text of an error that a peer can choose, in bytes: a
	// certificate names hundreds of hosts.
	maxText = 300
)

// Client makes requests to one destination.
type Client struct {
	http     *http.Client
	dialer   *net.Dialer
	roots    *egress.Roots // nil: the system's
	redactor *secret.Redactor
}

const handshakeTimeout = 5 * time.Second

// New returns a client that keeps up to connections of them open. It connects
// to the destination itself, by no proxy that the environment names. roots, if
// not nil, are trusted instead of the system's certificates. What the client says
// goes through the redactor.
func New(connections int, roots *egress.Roots, redactor *secret.Redactor) *Client {
	c := &Client{
		dialer: &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, ControlContext: egress.Guard},
		roots:  roots, redactor: redactor,
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			DialContext:            c.dialer.DialContext,
			DialTLSContext:         c.dialTLS,
			MaxIdleConns:           connections,
			MaxIdleConnsPerHost:    connections,
			MaxConnsPerHost:        connections,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: MaxReply,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // MaxReply bytes would become a thousand times as many
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// dialTLS connects and encrypts, with the certificates to trust as they are now.
func (c *Client) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c.encrypt(ctx, conn, host)
}

// encrypt makes the handshake of TLS; without it conn is closed.
func (c *Client) encrypt(ctx context.Context, conn net.Conn, host string) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	encrypted := tls.Client(conn, &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: c.roots.Pool(), ServerName: host, NextProtos: []string{"h2", "http/1.1"},
	})
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return encrypted, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Reply is an answer.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte // at most MaxReply
	// RetryAfter is how long the server asks to wait, within a second and an
	// hour; zero when it does not say.
	RetryAfter time.Duration
}

// Do makes one request. An error means that there is no whole answer; it is an
// *outcome.Error.
func (c *Client) Do(req *http.Request) (*Reply, error) {
	var written atomic.Bool
	trace := &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) { written.Store(i.Err == nil) }}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	req.GetBody = nil // with it net/http would send again by itself
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failure(req.Context(), req.URL.Host, err, written.Load())
	}
	defer resp.Body.Close()
	tracing.Answered(req.Context(), resp.StatusCode)
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxReply))
	if err != nil && resp.StatusCode/100 == 2 {
		return nil, c.failure(req.Context(), req.URL.Host, err, true)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 4*MaxReply) // so that the connection can be used again
	return &Reply{Status: resp.StatusCode, Header: resp.Header, Body: body, RetryAfter: RetryAfter(resp.Header.Get("Retry-After"), time.Now())}, nil
}

// failure classifies an error of the connection. The URL is not in it.
func (c *Client) failure(ctx context.Context, host string, err error, written bool) *outcome.Error {
	var whole *url.Error
	if errors.As(err, &whole) {
		err = whole.Err
	}
	var dns *net.DNSError
	var op *net.OpError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var timeout interface{ Timeout() bool }
	named := func(cause outcome.Cause, what string) *outcome.Error {
		return &outcome.Error{Cause: cause, Detail: c.redactor.Redact(host + ": " + what), Err: err}
	}
	switch {
	case errors.Is(err, egress.ErrBlocked):
		return named(outcome.Misconfigured, egress.ErrBlocked.Error())
	case errors.Is(context.Cause(ctx), context.Canceled), ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return named(outcome.Abandoned, "given up")
	case errors.As(err, &verification):
		return named(outcome.TLSFailed, "its certificate does not verify: "+clip(c.redactor.Redact(verification.Err.Error()), maxText))
	case errors.As(err, &record), strings.Contains(err.Error(), "tls:"):
		return named(outcome.TLSFailed, "the TLS handshake fails")
	case errors.As(err, &dns):
		return named(outcome.Unreachable, "the name is not known")
	case errors.As(err, &op) && op.Op == "dial" && errors.Is(err, syscall.ECONNREFUSED):
		return named(outcome.Unreachable, "connection refused")
	case errors.As(err, &op) && op.Op == "dial":
		return named(outcome.Unreachable, "cannot connect")
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		if written {
			return named(outcome.Timeout, "no answer after the request was sent")
		}
		return named(outcome.Unreachable, "takes no request")
	case written:
		return named(outcome.Reset, "the connection ended after the request was sent, without a whole answer")
	}
	return named(outcome.Unreachable, "the connection ended before the request was sent")
}

// RetryAfter reads the header of that name (RFC 9110, 10.2.3): seconds, also
// with a fraction, or a date. It is kept within a second and an hour; zero
// means that there is nothing to go by.
func RetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	d, err := time.ParseDuration(value + "s")
	if err != nil {
		at, err := http.ParseTime(value)
		if err != nil {
			if digits(value) { // more seconds than a duration holds
				return time.Hour
			}
			return 0
		}
		d = at.Sub(now)
	}
	return min(max(d, time.Second), time.Hour)
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// Snippet is the beginning of an answer's body as one line of text, for people
// who look for the reason. It is empty when the answer repeats a part of what
// was sent: payloads do not belong into errors. Secrets are taken out before it
// is cut, so that no part of one is left.
func (c *Client) Snippet(answer, sent []byte) string {
	const most, shared = 200, 16
	text := c.redactor.Redact(strings.ToValidUTF8(string(bytes.TrimSpace(answer)), "\uFFFD"))
	text = clip(strings.Join(strings.Fields(text), " "), most)
	for i := 0; i+shared <= len(text); i++ {
		if bytes.Contains(sent, []byte(text[i:i+shared])) {
			return ""
		}
	}
	return text
}

// clip cuts a text to most bytes.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && text[most]&0xC0 == 0x80 {
		most--
	}
	return text[:most] + "…"
}
