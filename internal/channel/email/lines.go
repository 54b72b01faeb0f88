package email

import (
	"bufio"
	"bytes"
	"net"
)

// replyLines is a connection whose replies are written as go-mail expects them.
// RFC 5321 also allows a code without a text (4.2) and keywords in small letters
// (4.1.1.1).
type replyLines struct {
	net.Conn
	in   *bufio.Reader
	rest []byte // of a line that is read
	ehlo bool   // the replies are to EHLO: turn keywords into capital letters
}

func lines(conn net.Conn) *replyLines {
	return &replyLines{Conn: conn, in: bufio.NewReader(conn)}
}

// Read implements net.Conn.
func (r *replyLines) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		line, err := r.in.ReadBytes('\n')
		if len(line) == 0 {
			return 0, err
		}
		r.rest = r.rewrite(line)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *replyLines) rewrite(line []byte) []byte {
	const code = len("250")
	if len(bytes.TrimRight(line, "\r\n")) == code {
		return append(line[:code:code], " \r\n"...)
	}
	if r.ehlo && len(line) > code {
		keyword, _, _ := bytes.Cut(line[code+1:], []byte(" "))
		for i, b := range keyword {
			if 'a' <= b && b <= 'z' {
				keyword[i] = b - 'a' + 'A'
			}
		}
	}
	return line
}
