package web

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// maxConnections is how many connections are open at once: enough for every
	// probe and scraper that a daemon has, and a small part of the file descriptors
	// that its channels need.
	maxConnections = 64
	// evictAfter is how old a connection is at least that is closed for another: its
	// request is on its way, and a flood of others must not push it out before. So a
	// flood is let in at some 1,300 connections a second; the others wait in the
	// kernel's queue.
	evictAfter = 50 * time.Millisecond
)

// limiter is a listener with at most so many open connections. Beyond them a new
// one is let in and the one that was used least recently is closed; one that is
// being answered only where all are. So strangers that connect and wait, or that
// do not read, never keep a probe out, as they would if new ones had to queue or
// were refused: a supervisor takes a daemon that does not answer for dead.
type limiter struct {
	net.Listener
	most int

	mu     sync.Mutex
	open   []*conn       // the one used least recently first
	freed  chan struct{} // size 1: one was closed
	closed chan struct{}
	end    func()
}

func newLimiter(l net.Listener, most int) *limiter {
	closed := make(chan struct{})
	return &limiter{Listener: l, most: most, freed: make(chan struct{}, 1), closed: closed, end: sync.OnceFunc(func() { close(closed) })}
}

// conn is a connection of a limiter.
type conn struct {
	net.Conn
	limiter *limiter
	since   time.Time // when it was let in
	serving bool      // a request is being answered; guarded by limiter.mu
}

// Accept implements net.Listener.
func (l *limiter) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for {
		admitted, wait := l.admit(c)
		if admitted != nil {
			return admitted, nil
		}
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-l.freed:
		case <-l.closed:
			again.Stop()
			_ = c.Close()
			return nil, net.ErrClosed
		}
		again.Stop()
	}
}

// Close implements net.Listener.
func (l *limiter) Close() error {
	l.end()
	return l.Listener.Close()
}

// admit lets a connection in, for which it closes another if it has to; nil: when
// to try again.
func (l *limiter) admit(c net.Conn) (*conn, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if len(l.open) >= l.most {
		if age := now.Sub(l.open[l.oldest()].since); age < evictAfter {
			return nil, evictAfter - age
		}
		_ = l.evict().Conn.Close()
	}
	admitted := &conn{Conn: c, limiter: l, since: now}
	l.open = append(l.open, admitted)
	return admitted, 0
}

// oldest is which connection is closed next for another. l.mu is held.
func (l *limiter) oldest() int {
	return max(0, slices.IndexFunc(l.open, func(c *conn) bool { return !c.serving }))
}

// evict takes out the connection that is closed for another. l.mu is held.
func (l *limiter) evict() *conn {
	i := l.oldest()
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
	select {
	case c.limiter.freed <- struct{}{}:
	default:
	}
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
