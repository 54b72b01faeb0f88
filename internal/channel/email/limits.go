package email

import (
	"bytes"
	"io"
	"net"
	"strings"
)

// Bounds of what a server may send. net/textproto has none: it collects a line,
// and a reply of many lines, for as long as bytes come.
const (
	// maxLine is the longest line of a reply, in bytes with its end: RFC 5321,
	// 4.5.3.1.5, allows 512.
	maxLine = 4 << 10
	// maxReply is how many bytes of replies are read between two writes.
	maxReply = 64 << 10
	// maxRecords is the same of the bytes that TLS reads, from the handshake on:
	// crypto/tls takes a certificate message of up to 256 KiB and others of up to
	// 64 KiB, and each line of a reply may come in a record of its own.
	maxRecords = 512 << 10
	// maxReplyText is how much of a refusal's text is kept. What tells replies apart
	// stands at its beginning.
	maxReplyText = 1 << 10
	// maxIterations bounds the work that a server asks for to log in (RFC 5802,
	// "i="): about half a second. Servers ask for 4,096 to some hundred thousand.
	maxIterations = 1_000_000
)

// excess is an error of a server that sends more than there is any reason for.
type excess string

func (e excess) Error() string { return string(e) }

const (
	errLongLine   excess = "the server sends a line of more than 4 KiB"
	errLongReply  excess = "the server sends more than 64 KiB in one reply"
	errRecords    excess = "the server sends more than 512 KiB of TLS records in one reply"
	errIterations excess = "the server asks for more than 1,000,000 rounds of SCRAM"
)

// limitedConn is a connection of which at most most bytes are read between two
// writes. After that every read fails, and every write.
type limitedConn struct {
	net.Conn
	most  int
	over  error // what a read beyond most fails with
	lines bool  // no line may be longer than maxLine

	read   int // since the last write
	line   int // bytes of the line that has not ended
	failed error
}

// encrypt takes c for the connection below TLS from now on, and returns the one
// above it, which has the bounds of replies. The handshake counts below.
func (c *limitedConn) encrypt(conn net.Conn) *limitedConn {
	c.most, c.over, c.lines, c.read = maxRecords, errRecords, false, 0
	return replies(conn)
}

// replies bounds a connection that brings replies in the clear.
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

// within counts the bytes of lines, and reports whether none is too long.
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

// greeted puts a greeting before what a connection brings: after STARTTLS the
// dialogue begins again without one (RFC 3207, 4.2), and go-mail waits for one.
type greeted struct {
	net.Conn
	io.Reader
}

func greet(conn net.Conn) *greeted {
	return &greeted{conn, io.MultiReader(strings.NewReader("220 encrypted\r\n"), conn)}
}

// Read implements net.Conn.
func (g *greeted) Read(p []byte) (int, error) { return g.Reader.Read(p) }
