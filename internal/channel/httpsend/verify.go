package httpsend

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/algotrade/notifier/internal/check"
)

// Verify connects to u's host as a request would, with the TLS handshake for
// https. It makes no request, since any request may have an effect.
func (c *Client) Verify(ctx context.Context, u *url.URL) []check.Result {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	start := time.Now()
	conn, via, err := c.reach(ctx, u.Scheme, net.JoinHostPort(host, port))
	if err != nil {
		e := c.classify(ctx, u.Host, err, false)
		return []check.Result{check.Failedf("connection", e.Remedy(), "%s", e.Detail)}
	}
	defer conn.Close()
	at := conn.RemoteAddr().String()
	if via != "" {
		at = "the proxy " + via
	}
	found := []check.Result{check.Okf("connection", "connected to %s at %s in %d ms", u.Host, at, time.Since(start).Milliseconds())}
	if u.Scheme != "https" {
		return append(found, check.Warnf("encryption", "use https:// if the receiver supports it", "http: alerts travel in the clear"))
	}
	encrypted, err := c.handshake(ctx, conn, host, "h2", "http/1.1")
	if err != nil {
		e := c.classify(ctx, u.Host, err, false)
		return append(found, check.Failedf("encryption", e.Remedy(), "%s", e.Detail))
	}
	return append(found, check.Certificate("encryption", encrypted.ConnectionState(), time.Now()))
}

// reach connects to an address as a request would. A proxy that forwards requests without
// TLS is only connected to itself.
func (c *Client) reach(ctx context.Context, scheme, address string) (conn net.Conn, via string, err error) {
	if scheme == "https" {
		return c.connect(ctx, address)
	}
	p, err := c.forwarding(&http.Request{URL: &url.URL{Scheme: scheme, Host: address}})
	if err != nil {
		return nil, "", err
	}
	if p != nil {
		if address, via = p.Host, p.Host; p.Port() == "" {
			address = net.JoinHostPort(p.Hostname(), "80")
		}
	}
	conn, err = c.dialer.DialContext(ctx, "tcp", address)
	if err != nil && via != "" {
		err = &proxyError{host: via, err: err}
	}
	return conn, via, err
}

// maxSkew is the tolerated clock skew: a Date header has whole seconds.
const maxSkew = 3 * time.Second

// ClockSkew compares this host's clock with the Date header (RFC 9110, 6.6.1)
// of a response. It returns nil without a Date or when the clocks agree.
func ClockSkew(server string, r *Reply, requested, answered time.Time) []check.Result {
	date, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return nil
	}
	behind, ahead := date.Sub(answered), requested.Sub(date.Add(time.Second))
	const remedy = "synchronise this host's clock (chrony, systemd-timesyncd): times in alerts, and signatures, depend on it"
	switch {
	case behind > maxSkew:
		return []check.Result{check.Warnf("clock", remedy, "this host's clock is %s behind %s's", behind.Round(time.Second), server)}
	case ahead > maxSkew:
		return []check.Result{check.Warnf("clock", remedy, "this host's clock is %s ahead of %s's", ahead.Round(time.Second), server)}
	}
	return nil
}
