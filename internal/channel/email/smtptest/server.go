// Package smtptest runs SMTP servers for tests: Start one that keeps the mails
// it takes and refuses, delays or drops what the test says, and Raw one that
// answers line by line, for misbehaviour that no proper server shows.
package smtptest

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mail is a mail that a client sent.
type Mail struct {
	From string
	To   []string
	Data []byte
	TLS  bool   // it came over an encrypted connection
	User string // who had logged in
}

// Config says how a server behaves. The zero value takes every mail, offers no
// TLS and asks for no login. The functions may be called by several
// connections at once; an error of theirs is the server's answer: Reply,
// ErrDrop or ErrHang.
type Config struct {
	TLS                bool // offer STARTTLS with a certificate of its own
	Implicit           bool // with TLS: encrypted from the first byte instead
	Username, Password string
	MaxBytes           int64 // announced as SIZE

	Mail func(from string) error
	Rcpt func(to string) error
	// Body is asked when a part of the mail was read, Data after its end.
	Body func() error
	Data func(m Mail) error
}

// Reply is the answer code, with an enhanced status ("5.1.1") unless that is
// empty, and text.
func Reply(code int, status, text string) error {
	e := &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
	if len(status) == 5 {
		e.EnhancedCode = smtp.EnhancedCode{int(status[0] - '0'), int(status[2] - '0'), int(status[4] - '0')}
	}
	return e
}

var (
	// ErrDrop closes the connection instead of an answer.
	ErrDrop = errors.New("drop the connection")
	// ErrHang gives no answer until the test has ended.
	ErrHang = errors.New("do not answer")
)

// Greylist returns a Rcpt that turns each recipient away the first time.
func Greylist() func(to string) error {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(to string) error {
		mu.Lock()
		defer mu.Unlock()
		if seen[to] {
			return nil
		}
		seen[to] = true
		return Reply(450, "4.7.1", "Greylisted, please try again in 300 seconds")
	}
}

// Server is a running server.
type Server struct {
	Addr string // host:port on 127.0.0.1
	// CA is the PEM file with the server's certificate; empty without TLS.
	CA string

	config   Config
	listener *counter
	stopped  chan struct{}

	mu    sync.Mutex
	mails []Mail
}

// Start runs a server until the test ends.
func Start(t testing.TB, config Config) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		Addr:     listener.Addr().String(),
		config:   config,
		listener: &counter{Listener: listener},
		stopped:  make(chan struct{}),
	}
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	server.Domain = "localhost"
	server.MaxMessageBytes = config.MaxBytes
	server.AllowInsecureAuth = !config.TLS
	server.ErrorLog = log.New(io.Discard, "", 0)
	if config.TLS {
		pair, pem := certificate(t)
		server.TLSConfig = pair
		s.CA = filepath.Join(t.TempDir(), "ca.pem")
		write(t, s.CA, pem)
	}
	var incoming net.Listener = s.listener
	if config.TLS && config.Implicit {
		incoming = tls.NewListener(incoming, server.TLSConfig)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(incoming)
	}()
	t.Cleanup(func() {
		close(s.stopped)
		_ = server.Close()
		_ = s.listener.Close() // the server leaves it open where Serve has not begun
		<-done
	})
	return s
}

// Mails returns the mails that were read to their end, in that order; also
// those that were not accepted.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Connections returns how many connections were made, and how many of them are
// still open.
func (s *Server) Connections() (made, open int) { return s.listener.counts() }

// HangUp closes the connections that are open, as a server does to idle ones.
func (s *Server) HangUp() { s.listener.hangUp() }

type session struct {
	server *Server
	conn   *smtp.Conn
	user   string
	mail   Mail
}

func (s *session) answer(err error) error {
	switch {
	case errors.Is(err, ErrDrop):
		_ = s.conn.Conn().Close()
	case errors.Is(err, ErrHang):
		<-s.server.stopped
	}
	return err
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.config.Username != "" && s.user == "" {
		return Reply(530, "5.7.0", "Authentication required")
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.mail = Mail{From: from, TLS: encrypted, User: s.user}
	if f := s.server.config.Mail; f != nil {
		return s.answer(f(from))
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if f := s.server.config.Rcpt; f != nil {
		if err := f(to); err != nil {
			return s.answer(err)
		}
	}
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	if f := s.server.config.Body; f != nil {
		_, _ = io.ReadFull(r, make([]byte, 64))
		if err := f(); err != nil {
			return s.answer(err)
		}
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.Data = b
	s.server.mu.Lock()
	s.server.mails = append(s.server.mails, s.mail)
	s.server.mu.Unlock()
	if f := s.server.config.Data; f != nil {
		return s.answer(f(s.mail))
	}
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string {
	if s.server.config.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements smtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != s.server.config.Username || password != s.server.config.Password {
			return smtp.ErrAuthFailed
		}
		s.user = username
		return nil
	}), nil
}
