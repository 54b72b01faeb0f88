package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/secret"
)

// guard controls access to the page and to /log-level.
//
// /livez, /readyz and /metrics accept any host name. The page and /log-level accept only
// known names, against DNS rebinding: a foreign web page could point its own name to
// 127.0.0.1. Addresses are accepted.
type guard struct {
	token  secret.String // zero: only this host may change the level
	hosts  []string      // known names, in lower case
	origin *http.CrossOriginProtection
	log    *slog.Logger
}

func newGuard(listen string, hosts []string, token secret.String, log *slog.Logger) *guard {
	g := &guard{token: token, origin: http.NewCrossOriginProtection(), log: log}
	for _, h := range hosts {
		g.hosts = append(g.hosts, canonical(h))
	}
	if host, _, err := net.SplitHostPort(listen); err == nil && host != "" {
		g.hosts = append(g.hosts, canonical(host))
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		name = canonical(name)
		short, _, _ := strings.Cut(name, ".")
		g.hosts = append(g.hosts, name, short)
	}
	return g
}

// canonical returns a host name in lower case without the final dot.
func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// ours rejects requests for an unknown host name.
func (g *guard) ours(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !overUnix(r) && !g.known(r.Host) {
			const text = "unknown host name: if it is this host's, add it to http.hosts"
			g.log.Warn("request refused", "by", peer(r), "host", r.Host, "path", r.URL.Path, "reason", text)
			http.Error(w, text, http.StatusMisdirectedRequest)
			return
		}
		next(w, r)
	}
}

// known reports whether a request's host is a known name or an address.
func (g *guard) known(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = canonical(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.Contains(g.hosts, host)
}

// changes rejects requests that may not change anything: cross-origin requests of browsers, and
// requests of other hosts without the token.
func (g *guard) changes(next http.HandlerFunc) http.HandlerFunc {
	return g.ours(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int, text string) {
			g.log.Warn("request refused", "by", peer(r), "path", r.URL.Path, "reason", text)
			http.Error(w, text, status)
		}
		switch {
		case g.origin.Check(r) != nil:
			refuse(http.StatusForbidden, "cross-origin request")
		case isLocal(r), g.authorized(r):
			next(w, r)
		case g.token.IsZero():
			refuse(http.StatusForbidden, "only from this host: set http.token, and send it as a bearer token")
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="notifier"`)
			refuse(http.StatusUnauthorized, "needs http.token as a bearer token")
		}
	})
}

// authorized reports whether a request has the token (RFC 6750, 2.1), in constant time.
func (g *guard) authorized(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want := g.token.Current()
	if want == "" || !strings.EqualFold(scheme, "bearer") {
		return false
	}
	a, b := sha256.Sum256([]byte(strings.TrimSpace(given))), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// isLocal reports whether a request comes from this host and not through a proxy.
func isLocal(r *http.Request) bool {
	for _, header := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(header) != "" {
			return false
		}
	}
	if overUnix(r) {
		return true
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && at.Addr().Unmap().IsLoopback()
}

func overUnix(r *http.Request) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && addr.Network() == "unix"
}

// peer names the client of a request.
func peer(r *http.Request) string {
	if overUnix(r) {
		return "the Unix socket"
	}
	return r.RemoteAddr
}
