package httpsend

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// proxyError is a failure on the way to a proxy, or its refusal.
type proxyError struct {
	host   string
	status int // of its response; 0: none
	err    error
}

func (e *proxyError) Error() string {
	if e.status != 0 {
		return fmt.Sprintf("proxy %s replied %d", e.host, e.status)
	}
	return fmt.Sprintf("proxy %s: %v", e.host, e.err)
}

func (e *proxyError) Unwrap() error { return e.err }

// forwarding returns the proxy that forwards a request without TLS; net/http calls it.
// For https there is none: dialTLS makes a tunnel.
func (c *Client) forwarding(r *http.Request) (*url.URL, error) {
	if r.URL.Scheme == "https" {
		return nil, nil
	}
	p, err := c.proxy(r.URL)
	if err == nil && p != nil && p.Scheme == "https" {
		return nil, errors.New("an https:// proxy is only used for https:// destinations")
	}
	return p, err
}

// ofProxy makes the error of a request that a proxy forwards, or its 407, the proxy's.
func (c *Client) ofProxy(r *http.Request, resp *http.Response, err error) error {
	var op *net.OpError
	failed := errors.As(err, &op) && op.Op == "proxyconnect"
	if !failed && (err != nil || resp.StatusCode != http.StatusProxyAuthRequired) {
		return err
	}
	p, _ := c.forwarding(r)
	switch {
	case p == nil:
		return err
	case failed:
		return &proxyError{host: p.Host, err: op.Err}
	}
	_ = resp.Body.Close()
	return &proxyError{host: p.Host, status: resp.StatusCode}
}

// connect connects to an address for TLS, through the proxy if there is one. via is the
// proxy's host; empty: a direct connection.
func (c *Client) connect(ctx context.Context, address string) (conn net.Conn, via string, err error) {
	p, err := c.proxy(&url.URL{Scheme: "https", Host: address})
	if err != nil {
		return nil, "", err
	}
	if p == nil {
		conn, err = c.dialer.DialContext(ctx, "tcp", address)
		return conn, "", err
	}
	conn, err = c.tunnel(ctx, p, address)
	var refused *proxyError
	if err != nil && !errors.As(err, &refused) {
		err = &proxyError{host: p.Host, err: err}
	}
	return conn, p.Host, err
}

// tunnel connects to an address through a proxy (RFC 9110, 9.3.6). net/http would do so
// too, but with certificates that are read at the start, and not without a request.
func (c *Client) tunnel(ctx context.Context, p *url.URL, address string) (net.Conn, error) {
	port := map[string]string{"http": "80", "https": "443"}[p.Scheme]
	if port == "" { // SOCKS
		d, err := proxy.FromURL(p, c.dialer)
		if err != nil {
			return nil, err
		}
		return d.(proxy.ContextDialer).DialContext(ctx, "tcp", address)
	}
	if p.Port() != "" {
		port = p.Port()
	}
	conn, err := c.dialer.DialContext(ctx, "tcp", net.JoinHostPort(p.Hostname(), port))
	if err != nil {
		return nil, err
	}
	if p.Scheme == "https" {
		if conn, err = c.handshake(ctx, conn, p.Hostname(), "http/1.1"); err != nil {
			return nil, err
		}
	}
	if err = open(ctx, conn, p, address); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// open has the proxy at the other end of conn connect to an address.
func open(ctx context.Context, conn net.Conn, p *url.URL, address string) error {
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{"User-Agent": {"notifier"}}}
	if u := p.User; u != nil {
		password, _ := u.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	// The server speaks after the client's first message, so nothing but the response
	// is buffered.
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, MaxReply)), req)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return &proxyError{host: p.Host, status: resp.StatusCode}
	}
	return conn.SetDeadline(time.Time{})
}
