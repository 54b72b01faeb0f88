package email

import (
	"context"
	"errors"
	"io"
	"net/textproto"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// result is the result of one transaction, by recipient.
type result struct {
	accepted, overflow []string // overflow: for another transaction
	refused, deferred  []channel.Refusal
	answer             string // reply to the end of data
}

// transact runs one transaction on an idle session, else on a new one. When the
// server has closed the idle session, nothing was sent, and transact uses a new
// one.
func (c *Channel) transact(ctx context.Context, m *composed, to []string) (result, error) {
	if s := c.pool.take(); s != nil {
		v, err := s.transact(ctx, m, to, c.config.AcceptTimeout)
		c.pool.put(s)
		if !stale(err) || ctx.Err() != nil {
			return v, err
		}
	}
	s, err := c.dial(ctx)
	if err != nil {
		return result{}, err
	}
	v, err := s.transact(ctx, m, to, c.config.AcceptTimeout)
	c.pool.put(s)
	return v, err
}

// stale reports whether err means that the server had closed the session.
func stale(err error) bool {
	var f *failure
	if !errors.As(err, &f) || f.stage != mailFrom {
		return false
	}
	var reply *textproto.Error
	return !errors.As(f.err, &reply) || reply.Code == 421
}

// transact sends m to the recipients that the server accepts. Without an error,
// either all accepted ones have the mail, or none was accepted and nothing was
// sent. A refusal about the sender or its host is the recipient's as long as
// others are accepted.
func (s *session) transact(ctx context.Context, m *composed, to []string, accept time.Duration) (v result, err error) {
	stop := context.AfterFunc(ctx, s.close)
	defer func() {
		if !stop() {
			s.broken = true
		}
	}()
	if size := s.size(); size > 0 && len(m.bytes) > size {
		return v, outcome.Errorf(outcome.PayloadTooLarge, "%d bytes, the server accepts %d", len(m.bytes), size)
	}
	if m.utf8 && !s.offers("SMTPUTF8") {
		return m.withoutUTF8(to)
	}
	if err := s.command(mailFrom, func() error { return s.mail(m.from, m.utf8) }); err != nil {
		return v, err
	}
	for _, recipient := range to {
		err := s.command(rcptTo, func() error { return s.client.Rcpt("<" + recipient + ">") })
		if err == nil {
			v.accepted = append(v.accepted, recipient)
			continue
		}
		e := classify(ctx, err)
		refusal := channel.Refusal{Recipient: recipient, Err: e}
		switch {
		case len(v.accepted) > 0 && tooMany(err):
			v.overflow = append(v.overflow, recipient)
		case s.broken:
			return result{}, err
		case e.Cause.Class().Permanence == outcome.Permanent:
			v.refused = append(v.refused, refusal)
		default:
			v.deferred = append(v.deferred, refusal)
		}
	}
	if len(v.accepted) == 0 {
		s.abort()
		s.last = len(v.deferred) > 0 // a new connection may reach a better server
		return v, nil
	}
	v.answer, err = s.send(m.bytes, accept)
	return v, err
}

// mail sends MAIL. Only an address that is not ASCII asks for SMTPUTF8: a server
// that forwards such a mail may have to return it.
func (s *session) mail(from string, utf8 bool) error {
	s.client.SkipSMTPUTF8(!utf8)
	return s.client.Mail("<" + from + ">")
}

// send transfers the mail and returns the server's reply. A failure before the
// final dot means not delivered (RFC 5321, 4.1.1.4).
func (s *session) send(mail []byte, accept time.Duration) (answer string, err error) {
	var w io.WriteCloser
	if err := s.command(data, func() (err error) { w, err = s.client.Data(); return err }); err != nil {
		s.abort()
		return "", err
	}
	if err := s.command(body, func() error {
		if _, err := w.Write(mail); err != nil {
			return err
		}
		return s.client.Text.W.Flush()
	}); err != nil {
		return "", err
	}
	err = s.observe(s.do(final, accept, w.Close))
	s.mails++
	if r, ok := w.(interface{ ServerResponse() string }); ok && err == nil {
		answer = r.ServerResponse()
	}
	return answer, err
}

// command runs one step of a transaction.
func (s *session) command(st stage, f func() error) error { return s.observe(s.do(st, s.step, f)) }

// observe marks the session as broken when it cannot continue after err.
func (s *session) observe(err error) error {
	var reply *textproto.Error
	if err != nil && (!errors.As(err, &reply) || desynchronised(reply.Code)) {
		s.broken = true
	}
	return err
}

// abort resets a transaction that sent nothing, so that the session is reusable.
func (s *session) abort() {
	if !s.broken && s.command(reset, s.client.Reset) != nil {
		s.broken = true
	}
}
