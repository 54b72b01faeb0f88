package smtptest

import (
	"bufio"
	"net"
	"strings"
	"sync"
	"testing"
)

// Answers of Raw that are no replies.
const (
	DropNow = "\x00drop" // close the connection
	HangNow = "\x00hang" // do not answer until the client has gone
)

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
				converse(conn, answer)
			})
		}
	})
	t.Cleanup(func() {
		_ = counted.Close()
		wg.Wait()
	})
	return listener.Addr().String()
}

func converse(conn net.Conn, answer func(line string) string) {
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
			}
			if _, err := conn.Write([]byte(strings.ReplaceAll(reply, "\n", "\r\n") + "\r\n")); err != nil {
				return
			}
			inMail = strings.HasPrefix(reply, "354")
		}
		if !lines.Scan() {
			return
		}
		line = lines.Text()
	}
}
