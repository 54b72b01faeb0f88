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

// Answers of Raw that are not replies.
const (
	DropNow = "\x00drop" // close the connection
	HangNow = "\x00hang" // send nothing until the client disconnects
	// FloodLine and FloodLines send up to FloodBytes, as one line or as a reply of
	// many lines, and then close the connection.
	FloodLine  = "\x00line"
	FloodLines = "\x00lines"
)

// FloodBytes bounds a flood.
const FloodBytes = 64 << 20

// Default is the reply of a server without extensions that accepts everything.
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

// Raw runs a server that sends what answer returns: for "" as the greeting, for
// each command, and for "." at the end of a mail. A reply may have several
// lines. Raw returns the server's address.
func Raw(t testing.TB, answer func(line string) string) string {
	t.Helper()
	return raw(t, nil, false, answer)
}

// RawTLS is Raw with TLS, from the first byte or after STARTTLS. It also returns
// the PEM file with the server's certificate.
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
				for lines.Scan() { // until the client disconnects
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
