// Package email sends alerts as mails through an SMTP server. go-mail composes
// the mail and implements the protocol. The order of the commands is our own,
// because the outcome depends on the stage: a refused recipient does not affect
// the others, and only a failure after the end of data is ambiguous.
//
// Start at Channel.Send. transaction.go is the SMTP dialogue, replies.go the
// table of replies, compose.go and render.go the mail.
package email

import (
	"context"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

const (
	// stepTimeout bounds each step of the dialogue except the end of data.
	stepTimeout = 30 * time.Second
	// deferredWait is the wait for a deferred recipient without a known reason.
	deferredWait = time.Minute
)

// Channel sends mails to the configured recipients.
type Channel struct {
	config Config
	host   string
	from   *netmail.Address
	to     []*netmail.Address
	step   time.Duration
	roots  *egress.Roots
	pool   *pool

	redactor *secret.Redactor
}

// New returns a channel. It connects when the first mail is sent. Texts from
// the server pass through the redactor; nil: one for this configuration's
// secrets.
func New(config Config, redactor *secret.Redactor) (*Channel, error) {
	config.fill()
	config.dedupe()
	if faults := config.faults(); len(faults) > 0 {
		return nil, fmt.Errorf("%s %s", faults[0].key, faults[0].message)
	}
	roots, err := egress.OpenRoots(config.CA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	c := &Channel{
		config: config,
		step:   stepTimeout,
		roots:  roots,
		pool:   &pool{slots: make(chan struct{}, config.Connections)},

		redactor: redactor,
	}
	if c.redactor == nil {
		c.redactor = secret.NewRedactor(config)
	}
	host, port, _ := net.SplitHostPort(config.Server)
	c.host, _ = asciiDomain(host)
	c.config.Server = net.JoinHostPort(c.host, port)
	c.config.HELO, _ = asciiDomain(config.HELO)
	c.from, _ = parseAddress(config.From)
	for _, to := range config.To {
		a, _ := parseAddress(to)
		c.to = append(c.to, a)
	}
	return c, nil
}

// Close closes idle connections.
func (c *Channel) Close() error {
	c.pool.close()
	return nil
}

// Send sends m as one mail, in several transactions if the server limits
// recipients; recipients whose local part is not ASCII get a mail of their own,
// which few servers accept.
//
// Recipients that are refused or deferred while others accept are in the
// receipt: its errors have the cause and, for deferred ones, the wait. When all
// are refused, the cause is outcome.Destination, or what the refusals are about;
// with m.Recipients or m.Delivered set it is outcome.RecipientRefused, since
// others have the mail.
func (c *Channel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	to, removed := c.recipients(m.Recipients, m.Delivered)
	if len(to) == 0 {
		return channel.Receipt{Refused: removed}, outcome.Errorf(outcome.Unrouted, "no recipient that is configured lacks it: discard it, or add the address that should have it")
	}
	receipt, err := c.send(ctx, m, to, removed)
	if err != nil {
		receipt.Lacking = to
	}
	return receipt, err
}

func (c *Channel) send(ctx context.Context, m channel.Message, to []string, removed []channel.Refusal) (channel.Receipt, error) {
	mails, err := c.mails(m, to)
	if err != nil {
		return channel.Receipt{}, &outcome.Error{Cause: outcome.Misconfigured, Detail: "composing the mail failed", Err: err}
	}
	if err := c.pool.acquire(ctx); err != nil {
		return channel.Receipt{}, classify(ctx, &failure{stage: connect, err: err})
	}
	defer c.pool.release()

	receipt := channel.Receipt{Refused: removed}
	for _, mail := range mails {
		rest, err := c.deliver(ctx, mail, &receipt)
		if err == nil {
			continue
		}
		e := classify(ctx, err)
		if receipt.ID == "" {
			return receipt, e
		}
		fail(&receipt, rest, e)
	}
	if receipt.ID == "" {
		return noneAccepted(receipt, m.Recipients != nil || len(m.Delivered) > 0)
	}
	concernRecipients(&receipt)
	return receipt, nil
}

// mails composes m for the recipients: one mail for those with an address in
// ASCII, one for the others.
func (c *Channel) mails(m channel.Message, to []string) ([]*composed, error) {
	var plain, international []string
	for _, address := range to {
		if ascii(address) {
			plain = append(plain, address)
		} else {
			international = append(international, address)
		}
	}
	var mails []*composed
	for i, to := range [][]string{plain, international} {
		if len(to) == 0 {
			continue
		}
		mail, err := c.compose(m, i == 1)
		if err != nil {
			return nil, err
		}
		mail.to = to
		mails = append(mails, mail)
	}
	return mails, nil
}

// deliver sends a mail to its recipients and adds them to the receipt. With an
// error, rest did not get it.
func (c *Channel) deliver(ctx context.Context, mail *composed, receipt *channel.Receipt) (rest []string, err error) {
	for rest = mail.to; len(rest) > 0; {
		v, err := c.transact(ctx, mail, rest)
		if err != nil {
			return rest, err
		}
		receipt.Refused = append(receipt.Refused, v.refused...)
		receipt.Deferred = append(receipt.Deferred, v.deferred...)
		if len(v.accepted) == 0 {
			break
		}
		receipt.ID = mail.id
		receipt.Accepted = append(receipt.Accepted, v.accepted...)
		receipt.Answer = strings.TrimSpace("the server replied 250 " + clip(alert.Visible(c.redactor.Redact(v.answer)), maxDetail))
		rest = v.overflow
	}
	return nil, nil
}

// concernRecipients makes the errors of a mail that others have those of single
// recipients: a refusal does not concern the channel, and a deferral, which has
// no backoff, has a wait.
func concernRecipients(receipt *channel.Receipt) {
	for i, r := range receipt.Refused {
		if e := *outcome.Classify(r.Err); e.Cause.Class().Scope == outcome.Channel {
			e.Do, e.Cause = e.Remedy(), outcome.RecipientRefused
			receipt.Refused[i].Err = &e
		}
	}
	for i, r := range receipt.Deferred {
		if e := *outcome.Classify(r.Err); e.RetryAfter == 0 {
			e.RetryAfter = deferredWait
			receipt.Deferred[i].Err = &e
		}
	}
}

// fail adds the recipients of a failed later transaction to the receipt: others
// have the mail already, so it must not be sent again as a whole.
func fail(receipt *channel.Receipt, rest []string, e *outcome.Error) {
	for _, recipient := range rest {
		r := channel.Refusal{Recipient: recipient, Err: e}
		if class := e.Cause.Class(); class.Scope == outcome.Message && class.Permanence == outcome.Permanent {
			receipt.Refused = append(receipt.Refused, r)
		} else {
			receipt.Deferred = append(receipt.Deferred, r)
		}
	}
}

// noneAccepted returns the outcome when no recipient was accepted. A deferred
// recipient defers the whole mail.
func noneAccepted(receipt channel.Receipt, narrowed bool) (channel.Receipt, error) {
	var deferred *outcome.Error
	for _, r := range receipt.Deferred {
		var e *outcome.Error
		if errors.As(r.Err, &e) && (deferred == nil || rank(e) > rank(deferred)) {
			deferred = e
		}
	}
	if deferred != nil {
		return channel.Receipt{}, deferred
	}
	first := outcome.Classify(receipt.Refused[len(receipt.Refused)-1].Err)
	for _, r := range receipt.Refused {
		if e := outcome.Classify(r.Err); e.Cause != outcome.RecipientRefused && e.Cause != outcome.Unrouted {
			return channel.Receipt{}, e // about the sender, its host or the mail
		}
	}
	e := &outcome.Error{Cause: outcome.Destination, Detail: first.Detail, Do: first.Do, Answered: true, Err: first}
	if narrowed {
		e.Cause = outcome.RecipientRefused
	} else if n := len(receipt.Refused); n > 1 {
		e.Detail += fmt.Sprintf(" (all %d recipients)", n)
	}
	return receipt, e
}

// rank orders the causes of deferred recipients: a server's error outranks
// greylisting, which outranks a full mailbox.
func rank(e *outcome.Error) int {
	switch e.Cause {
	case outcome.MailboxFull:
		return 0
	case outcome.Greylisted, outcome.RecipientDelayed:
		return 1
	}
	return 2
}

// recipients returns the addresses to send to: the configured ones without those that
// have the message, or those of only. Addresses that are no longer configured are in
// removed.
func (c *Channel) recipients(only, delivered []string) (to []string, removed []channel.Refusal) {
	if only == nil {
		for _, a := range c.to {
			if !slices.ContainsFunc(delivered, func(has string) bool { return sameAddress(a.Address, has) }) {
				to = append(to, a.Address)
			}
		}
		return to, nil
	}
	for _, address := range only {
		i := slices.IndexFunc(c.to, func(a *netmail.Address) bool { return sameAddress(a.Address, address) })
		if i < 0 {
			removed = append(removed, channel.Refusal{Recipient: address, Err: outcome.Errorf(outcome.Unrouted, "no longer configured")})
			continue
		}
		to = append(to, c.to[i].Address)
	}
	return to, removed
}
