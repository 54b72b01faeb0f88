//go:build synctests

package endtoend

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is the connection of one process to the brokers. It can be cut, as
// when the process dies: nothing reaches the brokers after that. It can be
// stalled, as when the process or its network hangs: what was written meanwhile
// arrives when it resumes, also if the client has given up by then. And it can be cut at the moment of a certain request.
type wire struct {
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	onRequest func(by int, request []byte) // is shown every request, once

	mu     sync.Mutex
	dead   chan struct{} // closed by cut
	going  chan struct{} // closed while the wire is not stalled
	stalls int           // how many faults stall it
	conns  map[*conn]struct{}
	trap   *trap
}

// trap springs once, at the next request with its key that a client in its
// role makes: before it is sent, or after the brokers have answered it and
// before the client hears that.
type trap struct {
	role   string
	key    int16
	after  bool
	spring func()
}

// errCut is the error of a process whose wire is cut, as of brokers that are gone:
// its client waits between two attempts.
var errCut = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

func newWire(dial func(ctx context.Context, network, address string) (net.Conn, error), onRequest func(by int, request []byte)) *wire {
	w := &wire{dial: dial, onRequest: onRequest, dead: make(chan struct{}), going: make(chan struct{}), conns: make(map[*conn]struct{})}
	close(w.going)
	return w
}

// dialer is the option of a client in one role, in one life of the process.
func (w *wire) dialer(role string, by int) kgo.Opt {
	return kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		time.Sleep(time.Millisecond)
		select {
		case <-w.flowing():
		case <-w.dead:
			return nil, errCut
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		inner, err := w.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.isCut() {
			_ = inner.Close()
			return nil, errCut
		}
		c := &conn{Conn: inner, wire: w, role: role, by: by, closed: make(chan struct{})}
		w.conns[c] = struct{}{}
		return c, nil
	})
}

func (w *wire) isCut() bool {
	select {
	case <-w.dead:
		return true
	default:
		return false
	}
}

func (w *wire) flowing() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.going
}

// cut ends the wire permanently.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut() {
		return
	}
	close(w.dead)
	for c := range w.conns {
		c.end()
	}
	w.conns = nil
}

// stall blocks all traffic until release.
func (w *wire) stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stalls++; w.stalls == 1 {
		w.going = make(chan struct{})
	}
}

func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stalls--; w.stalls == 0 {
		close(w.going)
	}
}

func (w *wire) set(t *trap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trap = t
}

// sprung takes the trap out if a request meets it.
func (w *wire) sprung(role string, request []byte) *trap {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.trap
	if t == nil || t.role != role || keyOf(request) != t.key {
		return nil
	}
	w.trap = nil
	return t
}

// keyOf returns the key of a request as it is written; -1: it is none.
func keyOf(request []byte) int16 {
	if len(request) < 6 {
		return -1
	}
	return int16(binary.BigEndian.Uint16(request[4:]))
}

type conn struct {
	net.Conn
	wire *wire
	role string
	by   int

	mu       sync.Mutex
	closed   chan struct{}
	pending  [][]byte // written while the wire was stalled
	flushing bool
	deadline time.Time
	answer   *trap // springs when an answer comes
}

func (c *conn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// Write implements net.Conn. kgo writes each request in one call.
func (c *conn) Write(b []byte) (int, error) {
	if t := c.wire.sprung(c.role, b); t != nil {
		if !t.after {
			t.spring()
			return 0, errCut
		}
		c.mu.Lock()
		c.answer = t
		c.mu.Unlock()
	}
	c.wire.onRequest(c.by, b)
	if keyOf(b) == int16(kmsg.Fetch) {
		// kgo fetches again at once where a broker says that a topic is gone, until
		// it looks that up; without this the clock would never come to that.
		time.Sleep(time.Millisecond)
	}
	going := c.wire.flowing()
	stalled := false
	select {
	case <-going:
	default:
		stalled = true
	}
	c.mu.Lock()
	if c.isClosed() {
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	if stalled || c.flushing {
		c.pending = append(c.pending, append([]byte(nil), b...))
		if !c.flushing {
			c.flushing = true
			go c.flush()
		}
		c.mu.Unlock()
		return len(b), nil
	}
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// flush sends what is pending once the wire is released, and closes the
// connection then if the client has meanwhile.
func (c *conn) flush() {
	for {
		select {
		case <-c.wire.flowing():
		case <-c.wire.dead:
			return
		}
		c.mu.Lock()
		if len(c.pending) == 0 {
			c.flushing = false
			if c.isClosed() {
				_ = c.Conn.Close()
			}
			c.mu.Unlock()
			return
		}
		b := c.pending[0]
		c.pending = c.pending[1:]
		c.mu.Unlock()
		_ = c.Conn.SetWriteDeadline(time.Time{})
		if _, err := c.Conn.Write(b); err != nil {
			c.mu.Lock()
			c.pending = nil
			c.mu.Unlock()
		}
	}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.isClosed() {
		return 0, net.ErrClosed
	}
	c.mu.Lock()
	t, deadline := c.answer, c.deadline
	c.answer = nil
	c.mu.Unlock()
	if t != nil && n > 0 {
		t.spring()
		return 0, errCut
	}
	select {
	case <-c.wire.flowing():
		return n, err
	default:
	}
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-c.wire.flowing():
		return n, err
	case <-c.closed:
		return 0, net.ErrClosed
	case <-late:
		return 0, context.DeadlineExceeded
	}
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetWriteDeadline(t)
	return c.SetReadDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

// Close implements net.Conn. What is pending is still sent.
func (c *conn) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.conns, c)
	c.wire.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isClosed() {
		return net.ErrClosed
	}
	close(c.closed)
	if c.flushing {
		return c.Conn.SetReadDeadline(time.Now()) // ends a read; flush closes it
	}
	return c.Conn.Close()
}

// end closes at once; wire.mu is held.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isClosed() {
		close(c.closed)
	}
	c.pending = nil
	_ = c.Conn.Close()
}
