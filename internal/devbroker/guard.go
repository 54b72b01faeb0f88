package devbroker

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A request frame is a 32-bit size and that many bytes, beginning with key,
// version and correlation id, 8 bytes in all (Kafka protocol guide). kfake does
// not check them: an HTTP request makes it allocate 1.1 GiB, and an unknown key
// makes it panic.
const (
	minFrame  = 8
	maxFrame  = 16 << 20
	headBytes = 6 // size and key
)

// guard returns ln with checked connections: an invalid frame closes its
// connection before the broker reads a byte of it.
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

// guardedConn checks the head of each frame. It has one reader at a time.
type guardedConn struct {
	net.Conn
	log *slog.Logger

	head   [headBytes]byte
	filled int   // received bytes of head
	served int   // bytes of head returned to the reader
	body   int64 // remaining bytes of the frame after head
}

// Read returns bytes of valid frames only. A read that fails within a head can be
// retried.
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
			c.log.Debug("closed a connection with an invalid request", "peer", c.RemoteAddr().String(), "err", err)
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

// checkFrame returns an error for an invalid frame.
func checkFrame(size uint32, key int16) error {
	switch {
	case size < minFrame || size > maxFrame:
		return fmt.Errorf("frame of %d bytes: a request has %d to %d", size, minFrame, maxFrame)
	case key < 0 || int(key) >= len(knownKeys) || !knownKeys[key]:
		return fmt.Errorf("request key %d is unknown", key)
	}
	return nil
}

// knownKeys are the request keys that kfake can parse. For one that it does not
// implement it closes the connection.
var knownKeys = func() (known [kmsg.MaxKey + 1]bool) {
	for key := range known {
		known[key] = kmsg.RequestForKey(int16(key)) != nil
	}
	return known
}()
