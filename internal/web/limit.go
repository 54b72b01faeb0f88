package web

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
)

// maxConnections is how many connections are open at once: enough for every
// probe and scraper that a daemon has, and a small part of the file descriptors
// that its channels need.
const maxConnections = 64

// limiter is a listener with at most so many open connections. Beyond them a new
// one is let in and the one that was used least recently is closed; one that is
// being answered only where all are. So strangers that connect and wait, or that
// do not read, never keep a probe out, as they would if new ones had to queue or
// were refused: a supervisor takes a daemon that does not answer for dead.
type limiter struct {
	net.Listener
	most int

	mu   sync.Mutex
	open []*conn // the one used least recently first
}

// conn is a connection of a limiter.
type conn struct {
	net.Conn
	limiter *limiter
	serving bool // a request is being answered; guarded by limiter.mu
}

// Accept implements net.Listener.
func (l *limiter) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	admitted := &conn{Conn: c, limiter: l}
	l.mu.Lock()
	var out *conn
	if len(l.open) >= l.most {
		out = l.evict()
	}
	l.open = append(l.open, admitted)
	l.mu.Unlock()
	if out != nil {
		_ = out.Conn.Close()
	}
	return admitted, nil
}

// evict takes out the connection that is closed for another. l.mu is held.
func (l *limiter) evict() *conn {
	i := max(0, slices.IndexFunc(l.open, func(c *conn) bool { return !c.serving }))
	out := l.open[i]
	l.open = slices.Delete(l.open, i, i+1)
	if tcp, ok := out.Conn.(*net.TCPConn); ok && out.serving {
		_ = tcp.SetLinger(0) // what its client does not read is dropped
	}
	return out
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.limiter.mu.Lock()
	if i := slices.Index(c.limiter.open, c); i >= 0 {
		c.limiter.open = slices.Delete(c.limiter.open, i, i+1)
	}
	c.limiter.mu.Unlock()
	return c.Conn.Close()
}

// used notes that a request is being answered, or that it was.
func (c *conn) used(serving bool) {
	l := c.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	c.serving = serving
	if i := slices.Index(l.open, c); i >= 0 {
		l.open = append(slices.Delete(l.open, i, i+1), c)
	}
}

type connKey struct{}

// remember has requests know their connection.
func remember(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// noting tells the limiter which connections are being answered.
func noting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.used(true)
			defer c.used(false)
		}
		next.ServeHTTP(w, r)
	})
}
