package email

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/outcome"
)

func TestMailsShareAConnection(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{})
	c := open(t, server.Addr, nil)
	for range 3 {
		if _, err := c.Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
	}
	if made, open := server.Connections(); made != 1 || open != 1 {
		t.Errorf("%d connections, %d of them open; want one, kept", made, open)
	}
}

func TestClosedIdleConnectionIsNoFailure(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{})
	c := open(t, server.Addr, nil)
	for range 2 {
		if _, err := c.Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
		server.CloseConns()
	}
	if made, _ := server.Connections(); made != 2 || len(server.Mails()) != 2 {
		t.Errorf("%d connections, %d mails; want 2 and 2", made, len(server.Mails()))
	}
}

// A server that ends an idle session may say so with 421 instead of an answer
// to the next command (RFC 5321, 3.8). On a new connection that is a failure.
func TestStaleSessionIsReplacedOnce(t *testing.T) {
	var greetings atomic.Int32
	var idle, closing atomic.Bool // after a mail; the server as a whole
	addr := smtptest.Raw(t, func(line string) string {
		switch {
		case line == "":
			greetings.Add(1)
			idle.Store(false)
		case line == ".":
			idle.Store(true)
		case strings.HasPrefix(line, "MAIL") && (idle.Load() || closing.Load()):
			return "421 4.4.2 goodbye"
		}
		return smtptest.Default(line)
	})
	c := open(t, addr, nil)
	for i := range 2 {
		if _, err := c.Send(t.Context(), message()); err != nil {
			t.Fatalf("mail %d: %v", i+1, err)
		}
	}
	if n := greetings.Load(); n != 2 {
		t.Fatalf("%d connections for 2 mails, want 2", n)
	}
	closing.Store(true)
	if _, err := c.Send(t.Context(), message()); cause(err) != outcome.Unavailable || greetings.Load() != 3 {
		t.Errorf("%v after %d connections, want unavailable after 3", err, greetings.Load())
	}
}

func TestRefusedTransactionKeepsConnectionUsable(t *testing.T) {
	var resets atomic.Int32
	var refuse atomic.Bool
	refuse.Store(true)
	addr := smtptest.Raw(t, func(line string) string {
		switch {
		case strings.HasPrefix(line, "RSET"):
			resets.Add(1)
		case strings.HasPrefix(line, "RCPT") && refuse.Load():
			return "550 5.1.1 unknown"
		}
		return smtptest.Default(line)
	})
	c := open(t, addr, nil)
	if _, err := c.Send(t.Context(), message()); cause(err) != outcome.Destination {
		t.Fatalf("%v, want destination", err)
	}
	refuse.Store(false)
	if _, err := c.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if len(c.pool.idle) != 1 || c.pool.idle[0].mails != 1 || resets.Load() != 1 {
		t.Errorf("%d idle sessions, %d resets; want the one session, reset once", len(c.pool.idle), resets.Load())
	}
}

// A server such as Postfix's postscreen defers all recipients of a session, and
// accepts them in the next one.
func TestDeferredTransactionEndsConnection(t *testing.T) {
	var greetings atomic.Int32
	addr := smtptest.Raw(t, func(line string) string {
		switch {
		case line == "":
			greetings.Add(1)
		case strings.HasPrefix(line, "RCPT") && greetings.Load() == 1:
			return "450 4.3.2 Service currently unavailable"
		}
		return smtptest.Default(line)
	})
	c := open(t, addr, nil)
	if _, err := c.Send(t.Context(), message()); cause(err) != outcome.Unavailable {
		t.Fatalf("%v, want unavailable", err)
	}
	if _, err := c.Send(t.Context(), message()); err != nil {
		t.Errorf("on a new connection: %v", err)
	}
}

func TestMailsPerSessionAreBounded(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{})
	c := open(t, server.Addr, nil)
	for range maxMails + 1 {
		if _, err := c.Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
	}
	if made, _ := server.Connections(); made != 2 {
		t.Errorf("%d connections for %d mails, want 2", made, maxMails+1)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	const limit, mails = 3, 12
	var busy atomic.Int32
	full, resume := make(chan struct{}), make(chan struct{})
	server := smtptest.Start(t, smtptest.Config{Data: func(smtptest.Mail) error {
		if busy.Add(1) == limit {
			close(full)
		}
		<-resume
		return nil
	}})
	c := open(t, server.Addr, func(c *Config) { c.Connections = limit })
	var wg sync.WaitGroup
	for range mails {
		wg.Go(func() {
			if _, err := c.Send(context.Background(), message()); err != nil {
				t.Error(err)
			}
		})
	}
	<-full
	close(resume)
	wg.Wait()
	if made, _ := server.Connections(); made != limit || len(server.Mails()) != mails {
		t.Errorf("%d connections for %d mails, want %d for %d", made, len(server.Mails()), limit, mails)
	}
}

func TestCloseClosesIdleConnections(t *testing.T) {
	var quits atomic.Int32
	gone := make(chan struct{}, 2)
	addr := smtptest.Raw(t, func(line string) string {
		if line == "QUIT" {
			quits.Add(1)
			gone <- struct{}{}
		}
		return smtptest.Default(line)
	})
	c := open(t, addr, nil)
	for i := range 2 {
		if _, err := c.Send(t.Context(), message()); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		<-gone
		if n := len(c.pool.idle); n != 0 || quits.Load() != int32(i+1) {
			t.Errorf("%d sessions are kept, %d said goodbye; want none and %d", n, quits.Load(), i+1)
		}
	}
}

func TestFailedConnectionIsClosed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "220 ready\r\n250 no STARTTLS here\r\n")
		_, _ = io.Copy(io.Discard, conn) // until the client has gone
	}()
	c := open(t, listener.Addr().String(), func(c *Config) { c.TLS = tlsMandatory })
	if _, err := c.Send(t.Context(), message()); cause(err) != outcome.Misconfigured {
		t.Errorf("%v, want misconfigured", err)
	}
	<-gone
}
