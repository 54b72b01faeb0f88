package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/textproto"
	"strconv"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/secret"
)

// stage is a step of the SMTP dialogue. Error details begin with it.
type stage string

const (
	connect  stage = "connect"
	greeting stage = "greeting"
	ehlo     stage = "EHLO"
	starttls stage = "STARTTLS"
	auth     stage = "AUTH"
	mailFrom stage = "MAIL"
	rcptTo   stage = "RCPT"
	data     stage = "DATA"
	body     stage = "body"
	// final begins with the dot that ends the body: from here on, a failure is
	// ambiguous.
	final stage = "end of data"
	reset stage = "RSET"
)

// failure is an error and its stage.
type failure struct {
	stage stage
	fresh bool // the connection has not carried a mail yet
	err   error
}

func (f *failure) Error() string { return string(f.stage) + ": " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

var errNoSTARTTLS = errors.New("the server does not offer STARTTLS")

// session is an authenticated connection to the server, for one goroutine at a
// time.
type session struct {
	conn   net.Conn
	tls    *tls.Conn // nil: unencrypted
	client *smtp.Client
	step   time.Duration
	mails  int
	broken bool // not reusable
	last   bool // in order, but not to be reused

	redactor *secret.Redactor
	idle     *time.Timer
}

// dial opens a session. It replaces go-mail's own dialling to know the stage of
// a failure and to close a connection that fails half-way.
func (c *Channel) dial(ctx context.Context) (*session, error) {
	dialer := net.Dialer{Timeout: c.step, ControlContext: egress.Guard}
	conn, err := dialer.DialContext(ctx, "tcp", c.config.Server)
	if err != nil {
		return nil, &failure{stage: connect, fresh: true, err: err}
	}
	s := &session{conn: conn, step: c.step, redactor: c.redactor}
	stop := context.AfterFunc(ctx, s.close)
	if err := s.open(c.config, c.host, c.roots.Pool()); err != nil {
		stop()
		s.close()
		return nil, err
	}
	if !stop() {
		return nil, &failure{stage: connect, fresh: true, err: ctx.Err()}
	}
	return s, nil
}

// open performs greeting, TLS and authentication.
func (s *session) open(config Config, host string, roots *x509.CertPool) error {
	encryption := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: roots}
	raw := replies(s.conn)
	if config.TLS == tlsImplicit {
		encrypted, err := s.encrypt(raw, encryption, connect)
		if err != nil {
			return err
		}
		if err := s.greet(encrypted, config, host); err != nil {
			return err
		}
	} else if err := s.greet(raw, config, host); err != nil {
		return err
	}
	if config.TLS == tlsMandatory {
		if err := s.do(starttls, s.step, s.requestTLS); err != nil {
			return err
		}
		encrypted, err := s.encrypt(raw, encryption, starttls)
		if err != nil {
			return err
		}
		if err := s.greet(greet(encrypted), config, host); err != nil {
			return err
		}
	}
	if config.Auth == authNone {
		return nil
	}
	return s.do(auth, s.step, func() error {
		return s.client.Auth(&login{config: &config, host: host, encrypted: s.tls != nil})
	})
}

// greet reads the greeting and sends EHLO.
func (s *session) greet(conn net.Conn, config Config, host string) error {
	in := lines(conn)
	if err := s.do(greeting, s.step, func() (err error) {
		s.client, err = smtp.NewClient(in, host)
		return err
	}); err != nil {
		return err
	}
	in.ehlo = true
	defer func() { in.ehlo = false }()
	return s.do(ehlo, s.step, func() error { return s.client.Hello(s.name(config)) })
}

// requestTLS sends STARTTLS. go-mail's StartTLS would read without bounds.
func (s *session) requestTLS() error {
	if !s.offers("STARTTLS") {
		return errNoSTARTTLS
	}
	if err := s.client.Text.PrintfLine("STARTTLS"); err != nil {
		return err
	}
	_, _, err := s.client.Text.ReadResponse(220)
	return err
}

// encrypt performs the TLS handshake on raw.
func (s *session) encrypt(raw *limitedConn, config *tls.Config, st stage) (*limitedConn, error) {
	s.tls = tls.Client(raw, config)
	encrypted := raw.encrypt(s.tls)
	return encrypted, s.do(st, s.step, s.tls.Handshake)
}

// do runs one step within limit.
func (s *session) do(st stage, limit time.Duration, f func() error) error {
	err := s.conn.SetDeadline(time.Now().Add(limit))
	if err == nil {
		err = f()
	}
	if err != nil {
		var reply *textproto.Error
		if errors.As(err, &reply) { // a deferred recipient keeps it for hours
			reply.Msg = clip(s.redactor.Redact(reply.Msg), maxReplyText)
		}
		return &failure{stage: st, fresh: s.mails == 0, err: err}
	}
	return nil
}

// offers reports whether the server announces an extension.
func (s *session) offers(extension string) bool {
	offered, _ := s.client.Extension(extension)
	return offered
}

// size returns the largest mail that the server accepts (RFC 1870); 0: not
// announced.
func (s *session) size() int {
	_, limit := s.client.Extension("SIZE")
	n, err := strconv.Atoi(limit)
	if err != nil {
		return 0
	}
	return n
}

// close closes the connection at once, also during another goroutine's read.
func (s *session) close() { _ = s.conn.Close() }

// quit sends QUIT and closes the connection without waiting for a reply.
func (s *session) quit() {
	_ = s.do("QUIT", time.Second, func() error {
		_, err := s.client.Text.Cmd("QUIT")
		return err
	})
	s.close()
}
