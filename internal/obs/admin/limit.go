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
	// maxConnections is how many connections are open at once: enough for every
	// probe and scraper that a daemon has, and a small part of the file descriptors
	// that its channels need.
	maxConnections = 64
	// waitingFor and servingFor are how long a connection has waited for a request,
	// or is being answered, before it may be closed for another: a flood must not push
	// a probe out whose request is on its way, and clients that do not read must not
	// hold all connections. Both bound at what rate a flood is let in; the rest
	// waits in the kernel's queue.
	waitingFor = 100 * time.Millisecond
	servingFor = 200 * time.Millisecond
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
	since   time.Time // when it was let in, or began or ceased to be answered
	serving bool      // a request is being answered; both guarded by limiter.mu
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

// next is which connection is closed next for another: the one that was used least
// recently, and one that is being answered only where no other may be closed now. It
// may be closed after wait. l.mu is held.
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

// evict takes a connection out. l.mu is held.
func (l *limiter) evict(i int) *conn {
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
	c.serving, c.since = serving, time.Now()
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
