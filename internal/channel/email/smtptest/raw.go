package smtptest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Answers of Raw that are no replies.
const (
	DropNow = "\x00drop" // close the connection
	HangNow = "\x00hang" // do not answer until the client has gone
	// FloodLine and FloodLines answer without end, with one line or with a reply of
	// many; after FloodBytes the connection is closed.
	FloodLine  = "\x00line"
	FloodLines = "\x00lines"
)

// FloodBytes is when a flood ends for a client that has not gone before: it is
// there to fail a test, not to use up the machine's memory.
const FloodBytes = 64 << 20

// Default is what an obliging server without extensions answers to line.
func Default(line string) string {
	switch verb, _, _ := strings.Cut(strings.ToUpper(line), " "); verb {
	case "", "EHLO", "HELO":
		if line == "" {
			return "220 ready"
		}
		return "250 raw"
	case "DATA":
		return "354 go ahead"
	case "QUIT":
		return "221 bye"
	}
	return "250 ok"
}

// Raw runs a server that sends what answer returns: for "" as the greeting,
// for each command, and for "." at the end of a mail. An answer may have
// several lines. It returns the server's address.
func Raw(t testing.TB, answer func(line string) string) string {
	t.Helper()
	return raw(t, nil, false, answer)
}

// RawTLS is Raw with encryption: from the first byte, or from where answer takes
// STARTTLS. It returns the PEM file with the server's certificate, too.
func RawTLS(t testing.TB, implicit bool, answer func(line string) string) (addr, ca string) {
	t.Helper()
	config, pem := certificate(t)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, pem)
	return raw(t, config, implicit, answer), ca
}

func raw(t testing.TB, config *tls.Config, implicit bool, answer func(line string) string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	counted := &counter{Listener: listener}
	wg.Go(func() {
		for {
			conn, err := counted.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				if implicit {
					conn = tls.Server(conn, config)
				}
				converse(conn, config, answer)
			})
		}
	})
	t.Cleanup(func() {
		_ = counted.Close()
		wg.Wait()
	})
	return listener.Addr().String()
}

func converse(conn net.Conn, config *tls.Config, answer func(line string) string) {
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	for line, inMail := "", false; ; {
		if !inMail || line == "." {
			reply := answer(line)
			switch reply {
			case DropNow:
				return
			case HangNow:
				for lines.Scan() { // until the client has gone
				}
				return
			case FloodLine, FloodLines:
				flood(conn, reply)
				return
			}
			if _, err := conn.Write([]byte(strings.ReplaceAll(reply, "\n", "\r\n") + "\r\n")); err != nil {
				return
			}
			inMail = strings.HasPrefix(reply, "354")
			if config != nil && line == "STARTTLS" && strings.HasPrefix(reply, "220") {
				conn = tls.Server(conn, config)
				lines = bufio.NewScanner(conn)
			}
		}
		if !lines.Scan() {
			return
		}
		line = lines.Text()
	}
}

func flood(conn net.Conn, how string) {
	part := bytes.Repeat([]byte("x"), 4096)
	if how == FloodLines {
		part = bytes.Repeat([]byte("250-8BITMIME\r\n"), 256)
	}
	for sent := 0; sent < FloodBytes; sent += len(part) {
		if _, err := conn.Write(part); err != nil {
			return
		}
	}
}
