// Package posting makes one HTTP request for a channel and says what became of
// it. It never follows a redirect, never sends again by itself, reads at most
// 64 KiB of the answer, and knows whether the request had been written when
// the connection failed: that is the difference between sending again and
// perhaps sending twice. Start reading at Client.Do.
package posting

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/tracing"
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
	redactor *secret.Redactor
}

// New returns a client that keeps up to connections of them open. roots, if
// not nil, are trusted instead of the system's certificates. What the client says
// goes through the redactor.
func New(connections int, roots *x509.CertPool, redactor *secret.Redactor) *Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, ControlContext: guard}
	return &Client{redactor: redactor, http: &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    5 * time.Second,
			MaxIdleConns:           connections,
			MaxIdleConnsPerHost:    connections,
			MaxConnsPerHost:        connections,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: MaxReply,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true, // MaxReply bytes would become a thousand times as many
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Roots reads the certificates of a PEM file.
func Roots(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no PEM certificate")
	}
	return pool, nil
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
	case errors.Is(err, errBlocked):
		return named(outcome.Misconfigured, "its address is link-local or a cloud's metadata service, which is never posted to")
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

var errBlocked = errors.New("blocked address")

// blocked are where a cloud's metadata services listen: a URL that leads there
// is a mistake or an attack. Private addresses are the operator's own.
var blocked = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("fd00:ec2::254/128"),
}

// guard sees the address after the name was resolved, for every dial.
func guard(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	for _, prefix := range blocked {
		if prefix.Contains(at.Addr().Unmap().WithZone("")) {
			return errBlocked
		}
	}
	return nil
}

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
