package email

import (
	"context"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/outcome"
)

// Destination lists the recipients and the server.
func (c Config) Destination() string {
	return strings.Join(c.To, ", ") + " via " + c.Server
}

// Verify implements channel.Verifier. It runs the dialogue up to the recipients
// and resets the transaction (RSET) before any data is sent. The server may
// still refuse the mail itself, or a recipient later.
func (c *Channel) Verify(ctx context.Context) []check.Result {
	if err := c.pool.acquire(ctx); err != nil {
		return []check.Result{refusal("server", classify(ctx, &failure{stage: connect, err: err}))}
	}
	defer c.pool.release()
	start := time.Now()
	s, err := c.dial(ctx)
	if err != nil {
		return []check.Result{refusal("server", classify(ctx, err))}
	}
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	defer s.quit()
	found := []check.Result{check.Okf("server", "%s is ready after %d ms, %s", c.config.Server, time.Since(start).Milliseconds(), c.login())}
	if s.tls != nil {
		found = append(found, check.Certificate("encryption", s.tls.ConnectionState(), time.Now()))
	} else {
		found = append(found, check.Warnf("encryption", "set tls: mandatory if the server supports STARTTLS", "none: mails travel in the clear"))
	}
	if warning := c.config.warnHELO(); warning != "" {
		found = append(found, check.Warnf("helo", fixHELO, "%s: many servers refuse it", warning))
	} else if name := s.name(c.config); name != c.config.HELO && strings.HasPrefix(name, "[") {
		found = append(found, check.Okf("helo", "%s, since this host's name is not fully qualified; set helo if the server wants a name", name))
	}
	international := slices.ContainsFunc(c.to, func(a *netmail.Address) bool { return !ascii(a.Address) })
	if err := s.command(mailFrom, func() error { return s.mail(c.from.Address, international || !ascii(c.from.Address)) }); err != nil {
		return append(found, refusal("sender "+c.from.Address, classify(ctx, err)))
	}
	found = append(found, check.Okf("sender "+c.from.Address, "accepted"))
	for _, to := range c.to {
		subject := "recipient " + to.Address
		if !ascii(to.Address) && !s.offers("SMTPUTF8") {
			found = append(found, refusal(subject, noUTF8()))
			continue
		}
		switch err := s.command(rcptTo, func() error { return s.client.Rcpt("<" + to.Address + ">") }); {
		case err == nil:
			found = append(found, check.Okf(subject, "accepted"))
		case tooMany(err):
			found = append(found, check.Okf(subject, "the server limits recipients per mail: this one gets a separate mail"))
		default:
			found = append(found, refusal(subject, classify(ctx, err)))
		}
		if s.broken {
			return append(found, check.Skipf("dialogue", "the remaining steps: the server ended the session"))
		}
	}
	s.abort()
	return found
}

func (c *Channel) login() string {
	if c.config.Auth == authNone {
		return "without authentication"
	}
	return "authenticated"
}

// refusal is the check result of a failed step: a warning if the daemon retries.
func refusal(subject string, e *outcome.Error) check.Result {
	text := e.Detail
	if text == "" {
		text = string(e.Cause)
	}
	f := check.Failedf(subject, e.Remedy(), "%s", text)
	switch e.Cause {
	case outcome.Greylisted, outcome.RecipientDelayed, outcome.MailboxFull, outcome.RateLimited:
		f.Status, f.Message = check.Warning, fmt.Sprintf("%s (%s)", text, e.Cause)
	}
	return f
}
