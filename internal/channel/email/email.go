// Package email sends alerts as mails through an SMTP server. go-mail composes
// the mail and speaks the protocol; the order of the commands is ours, because
// the outcome depends on the stage: a refused recipient does not keep the mail
// from the others, and only what fails after the final dot is ambiguous.
//
// Start reading at Channel.Send; transaction.go holds the dialogue, classify.go
// the table of replies, compose.go and render.go the mail.
package email

import (
	"context"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

const (
	// stepTimeout bounds each step of the dialogue but the last.
	stepTimeout = 30 * time.Second
	// deferredWait is when a recipient is tried again whom the server turned
	// away for now without a known reason.
	deferredWait = time.Minute
)

// Channel sends mails to the configured recipients.
type Channel struct {
	config Config
	host   string
	from   *netmail.Address
	to     []*netmail.Address
	zone   *time.Location
	step   time.Duration
	roots  *egress.Roots
	pool   *pool

	redactor *secret.Redactor
}

// New returns a channel. It connects when the first mail is sent. What it says
// goes through the redactor; nil is one that knows this configuration alone.
func New(config Config, redactor *secret.Redactor) (*Channel, error) {
	config.fill()
	for fault := range config.faults {
		return nil, fmt.Errorf("%s %s", fault.key, fault.message)
	}
	roots, err := egress.OpenRoots(config.CA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	if config.HELO == "" {
		config.HELO, _ = os.Hostname()
		if config.HELO == "" {
			config.HELO = "localhost"
		}
	}
	c := &Channel{
		config: config,
		zone:   time.Local,
		step:   stepTimeout,
		roots:  roots,
		pool:   &pool{slots: make(chan struct{}, config.Connections)},

		redactor: redactor,
	}
	if c.redactor == nil {
		c.redactor = secret.NewRedactor(config)
	}
	c.host, _, _ = net.SplitHostPort(config.Server)
	c.from, _ = netmail.ParseAddress(config.From)
	for _, to := range config.To {
		a, _ := netmail.ParseAddress(to)
		c.to = append(c.to, a)
	}
	return c, nil
}

// Close ends the kept connections.
func (c *Channel) Close() error {
	c.pool.close()
	return nil
}

// Send sends m as one mail, in more than one transaction if the server limits
// recipients. The mail is complete before a connection is touched. It returns
// early when ctx ends.
//
// A recipient that is refused or deferred while another has the mail is in the
// receipt. When all are refused, that is the fault of the configuration,
// outcome.Destination; but of the recipient where m narrows the recipients,
// because others had the mail then.
func (c *Channel) Send(ctx context.Context, m channel.Message) (channel.Receipt, error) {
	to, gone := c.recipients(m.Recipients)
	if len(to) == 0 {
		return channel.Receipt{Refused: gone}, outcome.Errorf(outcome.Unrouted, "no recipient of this delivery is configured any more")
	}
	mail, err := c.compose(m)
	if err != nil {
		return channel.Receipt{}, &outcome.Error{Cause: outcome.Misconfigured, Detail: "compose the mail", Err: err}
	}
	if err := c.pool.acquire(ctx); err != nil {
		return channel.Receipt{}, classify(ctx, &failure{stage: connect, err: err})
	}
	defer c.pool.release()

	receipt := channel.Receipt{Refused: gone}
	for rest := to; len(rest) > 0; {
		v, err := c.transact(ctx, mail, rest)
		if err != nil {
			e := classify(ctx, err)
			if receipt.ID == "" {
				return receipt, e
			}
			leave(&receipt, rest, e)
			break
		}
		receipt.Refused = append(receipt.Refused, v.refused...)
		receipt.Deferred = append(receipt.Deferred, v.deferred...)
		if len(v.accepted) == 0 {
			break
		}
		receipt.ID = mail.id
		receipt.Answer = "the server answers 250 " + clip(alert.Visible(c.redactor.Redact(v.answer)))
		rest = v.overflow
	}
	if receipt.ID == "" {
		return nobody(receipt, m.Recipients != nil)
	}
	for i, r := range receipt.Deferred {
		receipt.Deferred[i].Err = later(r.Err)
	}
	return receipt, nil
}

// later gives a deferred recipient's error a time to wait if the server named
// none: no backoff grows for a recipient that is tried alone.
func later(err error) error {
	e := *outcome.Classify(err)
	if e.RetryAfter == 0 {
		e.RetryAfter = deferredWait
	}
	return &e
}

// leave puts recipients that a later transaction failed for into the receipt:
// the whole mail must not be sent again, since others have it.
func leave(receipt *channel.Receipt, rest []string, e *outcome.Error) {
	for _, recipient := range rest {
		r := channel.Refusal{Recipient: recipient, Err: e}
		if class := e.Cause.Class(); class.Scope == outcome.Message && class.Permanence == outcome.Permanent {
			receipt.Refused = append(receipt.Refused, r)
		} else {
			receipt.Deferred = append(receipt.Deferred, r)
		}
	}
}

// nobody says what it means that no recipient was accepted. As long as one may
// be accepted later, the mail as a whole waits.
func nobody(receipt channel.Receipt, narrowed bool) (channel.Receipt, error) {
	var waiting *outcome.Error
	for _, r := range receipt.Deferred {
		var e *outcome.Error
		if errors.As(r.Err, &e) && (waiting == nil || urgency(e) > urgency(waiting)) {
			waiting = e
		}
	}
	if waiting != nil {
		return channel.Receipt{}, waiting
	}
	var first *outcome.Error
	errors.As(receipt.Refused[len(receipt.Refused)-1].Err, &first)
	e := &outcome.Error{Cause: outcome.Destination, Detail: first.Detail, Answered: true, Err: first}
	if narrowed {
		e.Cause = outcome.RecipientRefused
	} else if n := len(receipt.Refused); n > 1 {
		e.Detail += fmt.Sprintf(" (all %d recipients)", n)
	}
	return receipt, e
}

// urgency orders causes that wait: trouble of the server says most, a full
// mailbox least.
func urgency(e *outcome.Error) int {
	switch e.Cause {
	case outcome.MailboxFull:
		return 0
	case outcome.Greylisted:
		return 1
	}
	return 2
}

// recipients returns the addresses to send to: all, or those of only that are
// configured. The others are gone: an address never comes from outside the
// configuration.
func (c *Channel) recipients(only []string) (to []string, gone []channel.Refusal) {
	if only == nil {
		for _, a := range c.to {
			to = append(to, a.Address)
		}
		return to, nil
	}
next:
	for _, wanted := range only {
		for _, a := range c.to {
			if strings.EqualFold(a.Address, wanted) {
				to = append(to, a.Address)
				continue next
			}
		}
		gone = append(gone, channel.Refusal{Recipient: wanted, Err: outcome.Errorf(outcome.Unrouted, "not configured any more")})
	}
	return to, gone
}
