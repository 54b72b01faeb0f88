package admin

import (
	"context"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// maxConnections limits open connections: enough for all probes and scrapers.
	maxConnections = 64
	// A connection may be closed for a new one once it has been idle for waitingFor, or
	// serving for servingFor: a flood must not close a probe's connection before its request
	// arrives, and clients that do not read must not keep all connections.
	waitingFor = 100 * time.Millisecond
	servingFor = 200 * time.Millisecond
)

// limiter is a listener that limits open connections. At the limit, a new connection replaces the
// least recently used idle one, or a serving one if none is idle. So idle or slow clients cannot
// keep out a supervisor's probe.
type limiter struct {
	net.Listener
	most int

	mu     sync.Mutex
	open   []*conn       // least recently used first
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
	since   time.Time // when it was accepted, or began or ended serving
	serving bool      // a request; both guarded by limiter.mu
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

// admit admits a connection and closes another one if necessary. nil: retry after the duration.
func (l *limiter) admit(c net.Conn) (*conn, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if len(l.open) >= l.most {
		i, wait := l.next(now)
		if wait > 0 {
			return nil, wait
		}
		_ = l.evict(i).Conn.Close()
	}
	admitted := &conn{Conn: c, limiter: l, since: now}
	l.open = append(l.open, admitted)
	return admitted, 0
}

// next returns the connection to close next, and when it may be closed. l.mu is held.
func (l *limiter) next(now time.Time) (next int, wait time.Duration) {
	wait = servingFor
	for i, c := range l.open {
		left := waitingFor - now.Sub(c.since)
		if c.serving {
			left = servingFor - now.Sub(c.since)
		}
		switch {
		case left <= 0 && !c.serving:
			return i, 0
		case left < wait && wait > 0:
			next, wait = i, max(left, 0)
		}
	}
	return next, wait
}

// evict removes a connection. l.mu is held.
func (l *limiter) evict(i int) *conn {
	out := l.open[i]
	l.open = slices.Delete(l.open, i, i+1)
	if tcp, ok := out.Conn.(*net.TCPConn); ok && out.serving {
		_ = tcp.SetLinger(0) // drop unsent data
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

// used records that a request begins or ends.
func (c *conn) used(serving bool) {
	l := c.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	c.serving, c.since = serving, time.Now()
	if i := slices.Index(l.open, c); i >= 0 {
		l.open = append(slices.Delete(l.open, i, i+1), c)
	}
}

type connKey struct{}

// remember stores the connection in the context of its requests.
func remember(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// noting tells the limiter which connections are serving.
func noting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			c.used(true)
			defer c.used(false)
		}
		next.ServeHTTP(w, r)
	})
}
