package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"

	"github.com/algotrade/notifier/internal/secret"
)

// guard decides who may see the page and change the log level.
//
// Probes and scrapers ask for /livez, /readyz and /metrics under whatever name
// their cluster has for us, and get an answer under any. The page and /log-level
// are for people, and take only names that are ours: a web page of a stranger can
// have its own name lead to 127.0.0.1 (DNS rebinding), so that a browser on this
// host takes us for a part of it. An address is no such name.
type guard struct {
	token  secret.String // zero: nobody but this host may change anything
	hosts  []string      // ours, in small letters
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

// canonical is a host's name without what does not tell names apart.
func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// ours answers only requests for a name of ours.
func (g *guard) ours(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !overUnix(r) && !g.known(r.Host) {
			g.log.Warn("request refused: it is for a host that is not known here", "by", peer(r), "host", r.Host, "path", r.URL.Path,
				"do", "name the host in http.hosts, if it is this one's")
			http.Error(w, "this host is not known here: name it in http.hosts, if it is this one's", http.StatusMisdirectedRequest)
			return
		}
		next(w, r)
	}
}

// known reports whether the host of a request is a name of ours, or an address.
func (g *guard) known(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = canonical(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	for _, h := range g.hosts {
		if h == host {
			return true
		}
	}
	return false
}

// changes answers only who may change something: this host itself, or whoever has
// the token; and no browser on behalf of another site.
func (g *guard) changes(next http.HandlerFunc) http.HandlerFunc {
	return g.ours(func(w http.ResponseWriter, r *http.Request) {
		if err := g.origin.Check(r); err != nil {
			g.log.Warn("request refused: a page of another site makes it", "by", peer(r), "path", r.URL.Path)
			http.Error(w, "a page of another site makes this request", http.StatusForbidden)
			return
		}
		switch {
		case fromHere(r), g.authorized(r):
			next(w, r)
		case g.token.IsZero():
			g.log.Warn("request refused: it comes from another host", "by", peer(r), "path", r.URL.Path, "do", "set http.token, and send it as a bearer token")
			http.Error(w, "only from this host: or set http.token, and send it as a bearer token", http.StatusForbidden)
		default:
			g.log.Warn("request refused: it has no valid token", "by", peer(r), "path", r.URL.Path)
			w.Header().Set("WWW-Authenticate", `Bearer realm="notifier"`)
			http.Error(w, "needs http.token as a bearer token", http.StatusUnauthorized)
		}
	})
}

// authorized reports whether a request has the token (RFC 6750, 2.1). How long it
// takes does not depend on how much of it is right.
func (g *guard) authorized(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want := g.token.Current()
	if want == "" || !strings.EqualFold(scheme, "bearer") {
		return false
	}
	a, b := sha256.Sum256([]byte(strings.TrimSpace(given))), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// fromHere reports whether a request was made on this host, by a process that
// speaks for itself: a proxy says for whom it asks.
func fromHere(r *http.Request) bool {
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

// peer names who made a request.
func peer(r *http.Request) string {
	if overUnix(r) {
		return "the Unix socket"
	}
	return r.RemoteAddr
}
