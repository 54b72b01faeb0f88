package httpsend

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/algotrade/notifier/internal/check"
)

// Verify connects to where a URL leads, and encrypts where it says so, as a
// request would: name, address, certificate. It makes no request: even one that
// should change nothing may, with whoever listens there.
func (c *Client) Verify(ctx context.Context, u *url.URL) []check.Result {
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	began := time.Now()
	conn, err := c.dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		e := c.failure(ctx, u.Host, err, false)
		return []check.Result{check.Failedf("connection", e.Remedy(), "%s", e.Detail)}
	}
	defer conn.Close()
	found := []check.Result{check.Okf("connection", "%s takes connections at %s, after %d ms", u.Host, conn.RemoteAddr(), time.Since(began).Milliseconds())}
	if u.Scheme != "https" {
		return append(found, check.Warnf("encryption", "use https:// where the receiver has it", "http: alerts travel in the clear"))
	}
	encrypted, err := c.encrypt(ctx, conn, host)
	if err != nil {
		e := c.failure(ctx, u.Host, err, false)
		return append(found, check.Failedf("encryption", e.Remedy(), "%s", e.Detail))
	}
	return append(found, check.Certificate("encryption", encrypted.ConnectionState(), time.Now()))
}

// skewed is what a clock may be off before it is said: a Date has whole
// seconds, and an answer takes its time.
const skewed = 3 * time.Second

// Clock compares this host's clock with the Date (RFC 9110, 6.6.1) of an answer
// to a request that was made at a time; nil: there is nothing to compare, or
// they agree.
func Clock(who string, r *Reply, asked, answered time.Time) []check.Result {
	date, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return nil
	}
	behind, ahead := date.Sub(answered), asked.Sub(date.Add(time.Second))
	const do = "have this host's clock set (chrony, systemd-timesyncd): times in alerts, and signatures, depend on it"
	switch {
	case behind > skewed:
		return []check.Result{check.Warnf("clock", do, "this host's clock is %s behind %s's", behind.Round(time.Second), who)}
	case ahead > skewed:
		return []check.Result{check.Warnf("clock", do, "this host's clock is %s ahead of %s's", ahead.Round(time.Second), who)}
	}
	return nil
}
