// Package smtptest runs SMTP servers for tests. Start runs one that stores the
// accepted mails and fails as configured. Raw runs one with arbitrary replies,
// for protocol violations.
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
	TLS  bool   // received over TLS
	User string // the authenticated user
}

// Config configures a server. The zero value accepts every mail, without TLS and
// authentication. The functions are called concurrently; their error is the
// server's answer: Reply, ErrDrop or ErrHang.
type Config struct {
	TLS                bool // offer STARTTLS with a self-signed certificate
	Implicit           bool // with TLS: from the first byte instead
	Username, Password string
	MaxBytes           int64 // announced as SIZE

	Mail func(from string) error
	Rcpt func(to string) error
	// Body is called when a part of the mail was read, Data after its end.
	Body func() error
	Data func(m Mail) error
}

// Reply is a reply with code, enhanced status ("5.1.1"; empty: none) and text.
func Reply(code int, status, text string) error {
	e := &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
	if len(status) == 5 {
		e.EnhancedCode = smtp.EnhancedCode{int(status[0] - '0'), int(status[2] - '0'), int(status[4] - '0')}
	}
	return e
}

var (
	// ErrDrop closes the connection instead of a reply.
	ErrDrop = errors.New("drop the connection")
	// ErrHang sends no reply until the test ends.
	ErrHang = errors.New("send no reply")
)

// Greylist returns a Rcpt that defers each recipient the first time.
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
		_ = s.listener.Close() // server.Close does not if Serve has not begun
		<-done
	})
	return s
}

// Mails returns the completely received mails in order, refused ones included.
func (s *Server) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Connections returns how many connections were accepted, and how many are open.
func (s *Server) Connections() (total, open int) { return s.listener.counts() }

// CloseConns closes the open connections.
func (s *Server) CloseConns() { s.listener.closeConns() }

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
