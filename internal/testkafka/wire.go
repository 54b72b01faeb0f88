package testkafka

import (
	"bytes"
	"context"
	"net"
	"os"
	"sync"
	"time"
)

// Dial is the function type of kgo.Dialer.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Wire is the network between a client and its brokers, with faults on request.
type Wire struct {
	dial Dial

	mu      sync.Mutex
	open    chan struct{} // closed while data passes
	frozen  bool
	corrupt []byte
}

// NewWire returns a wire without faults.
func NewWire(dial Dial) *Wire {
	w := &Wire{dial: dial, open: make(chan struct{})}
	close(w.open)
	return w
}

// Dial makes a connection through the wire.
func (w *Wire) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	open, frozen := w.gate()
	timeout := time.After(5 * time.Second) // as in kafka.Config.Options
	if frozen {
		timeout = nil
	}
	select {
	case <-open:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timeout:
		return nil, os.ErrDeadlineExceeded
	}
	conn, err := w.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &wireConn{Conn: conn, w: w, closed: make(chan struct{})}, nil
}

// Cut blocks all data until Restore; deadlines still apply.
func (w *Wire) Cut() { w.shut(false) }

// Freeze blocks all data until Restore and suspends deadlines, as in a stopped
// process.
func (w *Wire) Freeze() { w.shut(true) }

func (w *Wire) shut(frozen bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open, w.frozen = make(chan struct{}), frozen
}

// Restore ends Cut and Freeze.
func (w *Wire) Restore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.open)
}

// Corrupt flips a bit of pattern wherever the client reads it uncompressed; nil
// ends that.
func (w *Wire) Corrupt(pattern []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.corrupt = pattern
}

func (w *Wire) gate() (open <-chan struct{}, frozen bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open, w.frozen
}

type wireConn struct {
	net.Conn
	w           *Wire
	read, write deadline
	closed      chan struct{}
	close       sync.Once
}

// pass waits until the wire is open.
func (c *wireConn) pass(d *deadline) error {
	for {
		open, frozen := c.w.gate()
		expired, changed := d.get()
		if frozen {
			expired = nil
		}
		select {
		case <-open:
			return nil
		case <-c.closed:
			return net.ErrClosed
		case <-changed:
		case <-expired:
			return os.ErrDeadlineExceeded
		}
	}
}

// Read implements net.Conn.
func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		return n, err
	}
	if err := c.pass(&c.read); err != nil {
		return 0, err
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if len(c.w.corrupt) > 0 {
		for rest := p[:n]; ; {
			i := bytes.Index(rest, c.w.corrupt)
			if i < 0 {
				break
			}
			rest[i] ^= 0x20
			rest = rest[i+1:]
		}
	}
	return n, nil
}

// Write implements net.Conn.
func (c *wireConn) Write(p []byte) (int, error) {
	if err := c.pass(&c.write); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close implements net.Conn.
func (c *wireConn) Close() error {
	c.close.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// SetDeadline implements net.Conn.
func (c *wireConn) SetDeadline(t time.Time) error {
	c.read.set(t)
	c.write.set(t)
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *wireConn) SetReadDeadline(t time.Time) error {
	c.read.set(t)
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (c *wireConn) SetWriteDeadline(t time.Time) error {
	c.write.set(t)
	return c.Conn.SetWriteDeadline(t)
}

// deadline is a deadline that may change during a wait.
type deadline struct {
	mu      sync.Mutex
	at      time.Time
	changed chan struct{}
}

func (d *deadline) set(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = at
	if d.changed != nil {
		close(d.changed)
		d.changed = nil
	}
}

func (d *deadline) get() (expired <-chan time.Time, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed == nil {
		d.changed = make(chan struct{})
	}
	if !d.at.IsZero() {
		expired = time.After(time.Until(d.at))
	}
	return expired, d.changed
}
