package email

import (
	"bytes"
	"io"
	"net"
	"strings"
)

// Bounds of what a server may send; net/textproto has none.
const (
	// maxLine bounds a line of a reply, in bytes with its end; RFC 5321,
	// 4.5.3.1.5 allows 512.
	maxLine = 4 << 10
	// maxReply bounds the bytes of replies between two writes.
	maxReply = 64 << 10
	// maxRecords bounds the bytes that TLS reads between two writes. crypto/tls
	// accepts a certificate message of up to 256 KiB.
	maxRecords = 512 << 10
	// maxReplyText bounds the kept text of a refusal, in bytes.
	maxReplyText = 1 << 10
	// maxIterations bounds the iterations of SCRAM (RFC 5802), about half a
	// second. Servers ask for 4,096 to some hundred thousand.
	maxIterations = 1_000_000
)

// excess is the error for a server that exceeds a bound.
type excess string

func (e excess) Error() string { return string(e) }

const (
	errLongLine   excess = "the server sent a line of more than 4 KiB"
	errLongReply  excess = "the server sent more than 64 KiB in one reply"
	errRecords    excess = "the server sent more than 512 KiB of TLS records in one reply"
	errIterations excess = "the server requires more than 1,000,000 iterations of SCRAM"
)

// limitedConn is a connection that reads at most most bytes between two writes.
// Beyond that, reads and writes fail.
type limitedConn struct {
	net.Conn
	most  int
	over  error // the error of a read beyond most
	lines bool  // also bound lines to maxLine

	read   int // since the last write
	line   int // bytes of the unfinished line
	failed error
}

// encrypt turns c into the connection below TLS and returns the one above it,
// with the bounds of replies.
func (c *limitedConn) encrypt(conn net.Conn) *limitedConn {
	c.most, c.over, c.lines, c.read = maxRecords, errRecords, false, 0
	return replies(conn)
}

// replies bounds a connection of decrypted replies.
func replies(conn net.Conn) *limitedConn {
	return &limitedConn{Conn: conn, most: maxReply, over: errLongReply, lines: true}
}

// Read implements net.Conn.
func (c *limitedConn) Read(p []byte) (int, error) {
	if c.read >= c.most && c.failed == nil {
		c.failed = c.over
	}
	if c.failed != nil {
		return 0, c.failed
	}
	n, err := c.Conn.Read(p[:min(len(p), c.most-c.read)])
	c.read += n
	if c.lines && !c.within(p[:n]) {
		c.failed = errLongLine
		return 0, c.failed
	}
	return n, err
}

// within counts the bytes of lines and reports whether all are within maxLine.
func (c *limitedConn) within(p []byte) bool {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		if end == 0 {
			c.line += len(p)
			return c.line <= maxLine
		}
		if c.line+end > maxLine {
			return false
		}
		c.line, p = 0, p[end:]
	}
	return true
}

// Write implements net.Conn.
func (c *limitedConn) Write(p []byte) (int, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	c.read = 0
	return c.Conn.Write(p)
}

// greeted adds a greeting before the first byte read: after STARTTLS the server
// sends none (RFC 3207, 4.2), but go-mail waits for one.
type greeted struct {
	net.Conn
	io.Reader
}

func greet(conn net.Conn) *greeted {
	return &greeted{conn, io.MultiReader(strings.NewReader("220 encrypted\r\n"), conn)}
}

// Read implements net.Conn.
func (g *greeted) Read(p []byte) (int, error) { return g.Reader.Read(p) }
