package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailer is one mail server. While it is hostile it harms in the way of its
// channel; then, and always for chMail, it takes every mail.
type mailer struct {
	channel, addr string
	listener      net.Listener
	account       *account
	recovered     *atomic.Bool
	behaved       chan net.Conn // connections for the server that behaves
	server        *smtp.Server
	closed        chan struct{}
	once          sync.Once
}

func newMailer(channel string, a *account, recovered *atomic.Bool) (*mailer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &mailer{
		channel: channel, addr: listener.Addr().String(), listener: listener, account: a, recovered: recovered,
		behaved: make(chan net.Conn), closed: make(chan struct{}),
	}
	m.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &mailSession{m}, nil }))
	m.server.Domain, m.server.AllowInsecureAuth, m.server.MaxMessageBytes = "localhost", true, 8<<20
	m.server.ErrorLog = log.New(io.Discard, "", 0)
	go func() { _ = m.server.Serve(m) }()
	go m.serve()
	return m, nil
}

func (m *mailer) serve() {
	for {
		conn, err := m.listener.Accept()
		if err != nil {
			return
		}
		if m.channel != chMail && !m.recovered.Load() {
			go m.harm(conn)
			continue
		}
		select {
		case m.behaved <- conn:
		case <-m.closed:
			_ = conn.Close()
		}
	}
}

// Accept implements net.Listener for the server that behaves.
func (m *mailer) Accept() (net.Conn, error) {
	select {
	case conn := <-m.behaved:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (m *mailer) Addr() net.Addr { return m.listener.Addr() }

// Close implements net.Listener.
func (m *mailer) Close() error {
	m.once.Do(func() { close(m.closed) })
	return m.listener.Close()
}

// harm plays the channel's part on one connection, at 3 MB/s at most and for a
// minute.
func (m *mailer) harm(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReaderSize(conn, 64<<10)
	say := func(text string) bool { _, err := io.WriteString(conn, text); return err == nil }
	forever := func(text string) {
		for !m.recovered.Load() && say(strings.Repeat(text, 1+(64<<10)/len(text))) {
			time.Sleep(20 * time.Millisecond)
		}
	}
	if m.channel == chGreeting {
		forever("220-welcome to a server that likes to talk\r\n")
		return
	}
	if m.channel == chLine {
		forever("220 a greeting of one line without an end ")
		return
	}
	if !say("220 localhost ESMTP\r\n") {
		return
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			if m.channel == chReply {
				forever("250-X-EXTENSION-OF-OURS with a parameter\r\n")
				return
			}
			if !say("250-localhost\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n") {
				return
			}
		case "AUTH":
			if m.channel == chLogin {
				m.refuseLogin(say, rest)
				return
			}
			if !say("235 2.7.0 welcome\r\n") {
				return
			}
		case "DATA":
			if !say("354 go ahead\r\n") || !until250(in) {
				return
			}
			forever("250-the mail is being looked at\r\n")
			return
		case "QUIT":
			say("221 bye\r\n")
			return
		default:
			if !say("250 2.0.0 ok\r\n") {
				return
			}
		}
	}
}

// until250 reads a mail to its end.
func until250(in *bufio.Reader) bool {
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			return true
		}
	}
}

// refuseLogin refuses for now, and echoes the credentials in the answer.
func (m *mailer) refuseLogin(say func(string) bool, rest string) {
	_, initial, _ := strings.Cut(rest, " ")
	plain, _ := base64.StdEncoding.DecodeString(initial)
	shown := strings.ReplaceAll(string(plain), "\x00", " ")
	say(fmt.Sprintf("454-4.7.0 cannot verify %s\r\n454-4.7.0 \x1b[31m%s\r\n454 4.7.0 %q\r\n", initial, shown, shown))
}

// mailSession takes mails.
type mailSession struct{ m *mailer }

// AuthMechanisms implements smtp.AuthSession.
func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth implements smtp.AuthSession.
func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != mailUser || password != mailSecret {
			return errors.New("wrong credentials")
		}
		return nil
	}), nil
}

func (s *mailSession) Reset()                               {}
func (s *mailSession) Logout() error                        { return nil }
func (s *mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }

// Data implements smtp.Session.
func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	at, ok := placeIn(soft.ReplaceAllString(string(raw), ""))
	if !ok {
		s.m.account.fault("%s: a mail that shows no place: %.300q", s.m.channel, raw)
		return nil
	}
	s.m.account.accept(s.m.channel, at)
	return nil
}
