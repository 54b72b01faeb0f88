package email

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/outcome"
)

// Destination is whom the mails go to, and through which server.
func (c Config) Destination() string {
	return strings.Join(c.To, ", ") + " via " + c.Server
}

// Verify implements channel.Verifier: it goes through the dialogue of a mail up
// to the recipients, and takes the transaction back (RSET) before anything is
// sent. A server may still refuse the mail itself, or a recipient later.
func (c *Channel) Verify(ctx context.Context) []check.Result {
	if err := c.pool.acquire(ctx); err != nil {
		return []check.Result{refusal("server", classify(ctx, &failure{stage: connect, err: err}))}
	}
	defer c.pool.release()
	began := time.Now()
	s, err := c.dial(ctx)
	if err != nil {
		return []check.Result{refusal("server", classify(ctx, err))}
	}
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	defer s.quit()
	found := []check.Result{check.Okf("server", "%s is ready after %d ms, %s", c.config.Server, time.Since(began).Milliseconds(), c.login())}
	if s.tls != nil {
		found = append(found, check.Certificate("encryption", s.tls.ConnectionState(), time.Now()))
	} else {
		found = append(found, check.Warnf("encryption", "set tls: mandatory where the server has STARTTLS", "none: mails travel in the clear"))
	}
	if err := s.command(mailFrom, func() error { return s.client.Mail("<" + c.from.Address + ">") }); err != nil {
		return append(found, refusal("sender "+c.from.Address, classify(ctx, err)))
	}
	found = append(found, check.Okf("sender "+c.from.Address, "accepted"))
	for _, to := range c.to {
		subject := "recipient " + to.Address
		switch err := s.command(rcptTo, func() error { return s.client.Rcpt("<" + to.Address + ">") }); {
		case err == nil:
			found = append(found, check.Okf(subject, "accepted"))
		case tooMany(err):
			found = append(found, check.Okf(subject, "the server takes no more recipients in one mail: it gets one of its own"))
		default:
			found = append(found, refusal(subject, classify(ctx, err)))
		}
		if s.broken {
			return append(found, check.Skipf("dialogue", "ended there: the server does not go on"))
		}
	}
	s.abort()
	return found
}

func (c *Channel) login() string {
	if c.config.Auth == authNone {
		return "without a login"
	}
	return "logged in"
}

// refusal is what a failed step means. What the daemon waits out by itself is a
// warning.
func refusal(subject string, e *outcome.Error) check.Result {
	text := e.Detail
	if text == "" {
		text = string(e.Cause)
	}
	f := check.Failedf(subject, e.Remedy(), "%s", text)
	switch e.Cause {
	case outcome.Greylisted, outcome.MailboxFull, outcome.RateLimited:
		f.Status, f.Message = check.Warning, fmt.Sprintf("%s (%s)", text, e.Cause)
	}
	return f
}
