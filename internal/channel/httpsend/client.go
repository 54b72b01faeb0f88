// Package httpsend makes one HTTP request for a channel and classifies the
// result. It never follows a redirect, never retries, and reads at most 64 KiB
// of the response. It records whether the request was written before the
// connection failed: only then is the outcome ambiguous. Start at Client.Do.
package httpsend

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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
	// MaxReply bounds the kept part of a response body and, separately, the
	// headers, those of 1xx responses included, in bytes.
	MaxReply = 64 << 10
	// maxText bounds error text that a peer can choose, such as the names of a
	// certificate, in bytes.
	maxText = 300
)

// Client makes requests to one destination.
type Client struct {
	http     *http.Transport
	dialer   *net.Dialer
	roots    *egress.Roots // nil: the system's roots
	proxy    egress.Proxy
	redactor *secret.Redactor
}

const handshakeTimeout = 5 * time.Second

// Remedies that name the settings of a proxy.
const (
	proxyLogin  = "write user and password into the proxy's URL (proxy: of the channel, else HTTPS_PROXY or HTTP_PROXY), or connect directly with proxy: none or NO_PROXY"
	proxyRemedy = "have the proxy connect to this destination, correct it (proxy: of the channel, else HTTPS_PROXY or HTTP_PROXY), or connect directly with proxy: none or NO_PROXY"
)

// New returns a client that keeps at most connections open. roots, if not nil,
// replace the system's certificates. A nil proxy: direct connections. Error texts
// pass through the redactor.
func New(connections int, roots *egress.Roots, proxy egress.Proxy, redactor *secret.Redactor) *Client {
	if proxy == nil {
		proxy = func(*url.URL) (*url.URL, error) { return nil, nil }
	}
	c := &Client{
		dialer: &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, ControlContext: egress.Guard},
		roots:  roots, proxy: proxy, redactor: redactor,
	}
	c.http = &http.Transport{
		Proxy:                  c.forwarding,
		DialContext:            c.dialer.DialContext,
		DialTLSContext:         c.dialTLS,
		MaxIdleConns:           connections,
		MaxIdleConnsPerHost:    connections,
		MaxConnsPerHost:        connections,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: MaxReply,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // gzip would expand MaxReply bytes a thousandfold
	}
	return c
}

// dialTLS connects with TLS, trusting the current content of the CA file.
func (c *Client) dialTLS(ctx context.Context, _, address string) (net.Conn, error) {
	conn, _, err := c.connect(ctx, address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return c.handshake(ctx, conn, host, "h2", "http/1.1")
}

// handshake performs the TLS handshake and closes conn when it fails.
func (c *Client) handshake(ctx context.Context, conn net.Conn, host string, protocols ...string) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	encrypted := tls.Client(conn, &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: c.roots.Pool(), ServerName: host, NextProtos: protocols,
	})
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return encrypted, nil
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Reply is an HTTP response.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte // at most MaxReply
	// Cut is the *outcome.Error that ended the body early; nil: it is complete, or as
	// long as MaxReply.
	Cut error
	// Proxy is the host of the proxy that forwarded the request without TLS, and may have
	// replied itself; empty: none.
	Proxy string
	// RetryAfter is the server's Retry-After, from one second to one hour; zero
	// without one, or if it is not in the future.
	RetryAfter time.Duration
}

// Do makes one request. Its error is an *outcome.Error and means that there is
// no complete header of a response.
func (c *Client) Do(req *http.Request) (*Reply, error) {
	if r, ok := req.Context().Value(recordKey{}).(*recorder); ok {
		return r.do(req)
	}
	var a attempt
	a.trace.WroteRequest = a.wrote
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &a.trace))
	req.GetBody = nil // with GetBody, net/http would retry
	resp, err := c.http.RoundTrip(req)
	if err = c.ofProxy(req, resp, err); err != nil {
		return nil, c.classify(req.Context(), req.URL.Host, err, a.written.Load())
	}
	tracing.Answered(req.Context(), resp.StatusCode)
	reply := &Reply{Status: resp.StatusCode, Header: resp.Header, RetryAfter: RetryAfter(resp.Header.Get("Retry-After"), time.Now())}
	if p, _ := c.forwarding(req); p != nil {
		reply.Proxy = p.Host
	}
	if resp.Body == http.NoBody {
		return reply, nil
	}
	defer resp.Body.Close()
	if reply.Body, err = io.ReadAll(io.LimitReader(resp.Body, MaxReply)); err != nil {
		reply.Cut = c.classify(req.Context(), req.URL.Host, err, true)
		return reply, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 4*MaxReply) // makes the connection reusable
	return reply, nil
}

// RoundTrip implements http.RoundTripper, for an http.Client whose caller reads and bounds
// the response itself. Its error is an *outcome.Error.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	var a attempt
	a.trace.WroteRequest = a.wrote
	resp, err := c.http.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), &a.trace)))
	if err = c.ofProxy(req, resp, err); err != nil {
		return nil, c.classify(req.Context(), req.URL.Host, err, a.written.Load())
	}
	return resp, nil
}

// attempt notes whether a request was written.
type attempt struct {
	trace   httptrace.ClientTrace
	written atomic.Bool
}

func (a *attempt) wrote(i httptrace.WroteRequestInfo) { a.written.Store(i.Err == nil) }

// classify turns a connection error into an outcome, which does not contain
// the URL.
func (c *Client) classify(ctx context.Context, host string, err error, written bool) *outcome.Error {
	var dns *net.DNSError
	var op *net.OpError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var timeout interface{ Timeout() bool }
	var refused *proxyError
	if errors.As(err, &refused) {
		host = "proxy " + refused.host
	}
	failed := func(cause outcome.Cause, what string) *outcome.Error {
		e := &outcome.Error{Cause: cause, Detail: c.redactor.Redact(host + ": " + what), Err: err}
		if refused != nil && cause == outcome.Unreachable {
			e.Do = proxyRemedy
		}
		return e
	}
	switch {
	case errors.Is(err, egress.ErrBlocked):
		return failed(outcome.Misconfigured, egress.ErrBlocked.Error())
	case errors.Is(context.Cause(ctx), context.Canceled), ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return failed(outcome.Abandoned, "cancelled")
	case refused != nil && refused.status == http.StatusProxyAuthRequired:
		return &outcome.Error{Cause: outcome.Credentials, Detail: c.redactor.Redact(host + " requires a login"), Do: proxyLogin, Err: err}
	case refused != nil && refused.status != 0:
		return failed(outcome.Unreachable, fmt.Sprintf("refused to connect with status %d", refused.status))
	case errors.As(err, &verification):
		return failed(outcome.TLSFailed, "certificate verification failed: "+clip(c.redactor.Redact(verification.Err.Error()), maxText))
	case errors.As(err, &record), strings.Contains(err.Error(), "tls:"):
		return failed(outcome.TLSFailed, "TLS handshake failed")
	case errors.As(err, &dns):
		return failed(outcome.Unreachable, "no such host")
	case errors.As(err, &op) && op.Op == "dial" && errors.Is(err, syscall.ECONNREFUSED):
		return failed(outcome.Unreachable, "connection refused")
	case errors.As(err, &op) && op.Op == "dial":
		return failed(outcome.Unreachable, "connection failed")
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		if written {
			return failed(outcome.Timeout, "no response after the request was sent")
		}
		return failed(outcome.Unreachable, "timed out before the request was sent")
	case written:
		return failed(outcome.Reset, "connection lost after the request was sent, before a complete response")
	}
	return failed(outcome.Unreachable, "connection lost before the request was sent")
}

// RetryAfter parses a Retry-After header (RFC 9110, 10.2.3): seconds, also with
// a fraction, or a date. The result is from one second to one hour; zero for a
// missing or invalid value, and for one that asks for no wait.
func RetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0
	}
	d, err := time.ParseDuration(value + "s")
	if err != nil {
		at, err := http.ParseTime(value)
		if err != nil {
			if strings.Trim(value, "0123456789") == "" { // overflows time.Duration
				return time.Hour
			}
			return 0
		}
		d = at.Sub(now)
	}
	if d <= 0 {
		return 0
	}
	return min(max(d, time.Second), time.Hour)
}

// Snippet returns the beginning of a response body as one line, without
// secrets. It is empty when the response repeats a part of the sent payload,
// which does not belong in errors.
func (c *Client) Snippet(response, sent []byte) string {
	const most, shared = 200, 16
	text := c.redactor.Redact(strings.ToValidUTF8(string(bytes.TrimSpace(response)), "\uFFFD"))
	text = clip(strings.Join(strings.Fields(text), " "), most)
	for i := 0; i+shared <= len(text); i++ {
		if bytes.Contains(sent, []byte(text[i:i+shared])) {
			return ""
		}
	}
	return text
}

// clip truncates text to most bytes, at a rune boundary.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && text[most]&0xC0 == 0x80 {
		most--
	}
	return text[:most] + "…"
}
