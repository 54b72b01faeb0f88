package devbroker

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A request frame is a 32-bit size and then that many bytes, which begin with
// the request's key, version and correlation id, 8 bytes in all (the Kafka
// protocol guide). kfake believes the size, so an HTTP request makes it
// allocate 1.1 GiB, and it dies of a key that it does not know.
const (
	minFrame = 8
	maxFrame = 16 << 20
	// headBytes are the size and the key: what is judged before anything is
	// handed on.
	headBytes = 6
)

// guard returns ln with every connection checked: what does not speak Kafka is
// closed before the broker sees a byte of the offending frame.
func guard(ln net.Listener, log *slog.Logger) net.Listener {
	return &guardedListener{Listener: ln, log: log}
}

type guardedListener struct {
	net.Listener
	log *slog.Logger
}

func (l *guardedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: conn, log: l.log}, nil
}

// guardedConn checks the head of each frame as the reader comes to it. Like
// most connections it has one reader at a time.
type guardedConn struct {
	net.Conn
	log *slog.Logger

	head   [headBytes]byte
	filled int   // bytes of head that have arrived
	served int   // bytes of head that the reader has
	body   int64 // bytes of the frame behind the head that are still to come
}

// Read returns bytes of frames that passed; it never returns a part of one
// that did not. A read that fails half-way through a head may be tried again.
func (c *guardedConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if c.served == headBytes && c.body == 0 {
		c.filled, c.served = 0, 0
	}
	for c.filled < headBytes {
		n, err := c.Conn.Read(c.head[c.filled:])
		c.filled += n
		if c.filled < headBytes {
			if err != nil {
				return 0, err
			}
			continue
		}
		size, key := binary.BigEndian.Uint32(c.head[:4]), int16(binary.BigEndian.Uint16(c.head[4:]))
		if err := checkFrame(size, key); err != nil {
			c.log.Debug("closed a connection that does not speak Kafka", "peer", c.RemoteAddr().String(), "err", err)
			_ = c.Close()
			c.filled = 0
			return 0, err
		}
		c.body = int64(size) - (headBytes - 4)
	}
	if c.served < headBytes {
		n := copy(p, c.head[c.served:])
		c.served += n
		return n, nil
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.body)])
	c.body -= int64(n)
	return n, err
}

// checkFrame reports why a frame must not reach the broker.
func checkFrame(size uint32, key int16) error {
	switch {
	case size < minFrame || size > maxFrame:
		return fmt.Errorf("a frame of %d bytes: a request has %d to %d", size, minFrame, maxFrame)
	case key < 0 || int(key) >= len(knownKeys) || !knownKeys[key]:
		return fmt.Errorf("request key %d is unknown", key)
	}
	return nil
}

// knownKeys are the request keys that kfake can parse; of these, it answers
// the ones that it does not implement by closing the connection.
var knownKeys = func() (known [kmsg.MaxKey + 1]bool) {
	for key := range known {
		known[key] = kmsg.RequestForKey(int16(key)) != nil
	}
	return known
}()
