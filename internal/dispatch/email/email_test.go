package email

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/dispatch/email/smtptest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

var eventTime = time.Date(2026, 3, 2, 14, 31, 5, 0, time.UTC)

func message() dispatch.Message {
	return dispatch.Message{
		Delivery: "dl_abcdefghijklmnopqrstuvwxyz",
		Alert: alert.Alert{
			ID:        "al_abcdefghijklmnopqrstuvwxyz",
			Rule:      "order-rejected",
			Severity:  alert.Warning,
			Key:       []string{"ACC-1007", "INSUFFICIENT_BP"},
			Title:     alert.Text{{Text: "Rejected: "}, {Text: "NVDA", Value: true}, {Text: " buy 400"}},
			EventTime: eventTime,
			Topic:     "trade-executions",
		},
		Now: eventTime.Add(3 * time.Millisecond),
	}
}

// open returns a channel to the server at addr that does not wait long.
func open(t *testing.T, addr string, change func(*Config)) *Channel {
	t.Helper()
	config := Config{Server: addr, From: "alerts@example.com", To: []string{"desk@example.com"}, TLS: "none", HELO: "notifier.example.com"}
	if change != nil {
		change(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	c.zone, c.step, c.config.AcceptTimeout = time.UTC, 5*time.Second, 5*time.Second
	return c
}

// hurry shortens the wait at the stage where the server is going to hang, and
// no other: "." or a command.
func (c *Channel) hurry(at string) {
	if at == "." {
		c.config.AcceptTimeout = 20 * time.Millisecond
		return
	}
	c.step = 250 * time.Millisecond
}

// expiring is a context whose deadline comes when the test says so.
type expiring struct {
	context.Context
	done chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.done }

func (e expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// three configures three recipients.
func three(c *Config) { c.To = []string{"a@example.com", "b@example.com", "c@example.com"} }

func cause(err error) outcome.Cause {
	if err == nil {
		return ""
	}
	return outcome.Classify(err).Cause
}

func TestMailArrivesEncryptedAndLoggedIn(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{TLS: true, Username: "notifier", Password: "hunter22"})
	c := open(t, server.Addr, func(c *Config) {
		three(c)
		c.TLS, c.CA = "mandatory", server.CA
		c.Username, c.Password = secret.New("notifier"), secret.New("hunter22")
	})
	receipt, err := c.Send(t.Context(), message())
	if err != nil {
		t.Fatal(err)
	}
	if want := "<dl_abcdefghijklmnopqrstuvwxyz@example.com>"; receipt.ID != want {
		t.Errorf("receipt %q, want the Message-ID %q", receipt.ID, want)
	}
	mails := server.Mails()
	if len(mails) != 1 {
		t.Fatalf("%d mails, want 1", len(mails))
	}
	m := mails[0]
	if !m.TLS || m.User != "notifier" || m.From != "alerts@example.com" || len(m.To) != 3 {
		t.Errorf("arrived as %+v", m)
	}
	if !strings.Contains(string(m.Data), "Message-ID: "+receipt.ID) {
		t.Error("the mail does not carry the receipt's Message-ID")
	}
}

func TestRefusedRecipientDoesNotKeepTheMailFromOthers(t *testing.T) {
	greylist := smtptest.Greylist()
	server := smtptest.Start(t, smtptest.Config{Rcpt: func(to string) error {
		switch to {
		case "a@example.com":
			return smtptest.Reply(550, "5.1.1", "a@example.com: user unknown")
		case "b@example.com":
			return greylist(to)
		}
		return nil
	}})
	c := open(t, server.Addr, three)
	receipt, err := c.Send(t.Context(), message())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(receipt.Refused); got != "[{a@example.com recipient-refused: RCPT 550 5.1.1}]" {
		t.Errorf("refused %s", got)
	}
	if got := fmt.Sprint(receipt.Deferred); got != "[{b@example.com greylisted: RCPT 450 4.7.1}]" {
		t.Errorf("deferred %s", got)
	}
	if wait := outcome.Classify(receipt.Deferred[0].Err).RetryAfter; wait < 5*time.Minute {
		t.Errorf("greylisted for %v, want at least 5 minutes", wait)
	}
	if to := server.Mails()[0].To; !slices.Equal(to, []string{"c@example.com"}) {
		t.Errorf("went to %v", to)
	}

	again := message()
	again.Recipients = []string{"b@example.com"}
	if receipt, err = c.Send(t.Context(), again); err != nil || receipt.ID == "" {
		t.Fatalf("after greylisting: %+v, %v", receipt, err)
	}
	if to := server.Mails()[1].To; !slices.Equal(to, []string{"b@example.com"}) {
		t.Errorf("the second mail went to %v", to)
	}
	if made, _ := server.Connections(); made != 1 {
		t.Errorf("%d connections, want the kept one", made)
	}
}

func TestNobodyAccepted(t *testing.T) {
	unknown := smtptest.Reply(550, "5.1.1", "unknown")
	greylisted := smtptest.Reply(451, "4.7.1", "greylisted")
	full := smtptest.Reply(452, "4.2.2", "mailbox full")
	down := smtptest.Reply(451, "4.3.0", "lookup failed")
	for name, test := range map[string]struct {
		answers  []error // for a, b, c
		narrowed []string
		want     outcome.Cause
		refused  int
	}{
		"all unknown":                    {[]error{unknown, unknown, unknown}, nil, outcome.Destination, 3},
		"all greylisted":                 {[]error{greylisted, greylisted, greylisted}, nil, outcome.Greylisted, 0},
		"all full":                       {[]error{full, full, full}, nil, outcome.MailboxFull, 0},
		"unknown and greylisted":         {[]error{unknown, greylisted, unknown}, nil, outcome.Greylisted, 0},
		"full and greylisted":            {[]error{full, greylisted, full}, nil, outcome.Greylisted, 0},
		"greylisted and server trouble":  {[]error{greylisted, down, full}, nil, outcome.Unavailable, 0},
		"one of several, tried alone":    {[]error{unknown, nil, nil}, []string{"a@example.com"}, outcome.RecipientRefused, 1},
		"one full, tried alone":          {[]error{full, nil, nil}, []string{"a@example.com"}, outcome.MailboxFull, 0},
		"one that is not configured any": {[]error{nil, nil, nil}, []string{"mallory@example.com"}, outcome.Unrouted, 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := smtptest.Start(t, smtptest.Config{Rcpt: func(to string) error { return test.answers[to[0]-'a'] }})
			c := open(t, server.Addr, three)
			m := message()
			m.Recipients = test.narrowed
			receipt, err := c.Send(t.Context(), m)
			if got := cause(err); got != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
			if receipt.ID != "" || len(receipt.Refused) != test.refused || len(server.Mails()) != 0 {
				t.Errorf("receipt %+v, %d mails", receipt, len(server.Mails()))
			}
		})
	}
}

func TestRecipientsThatLeftTheConfigurationGetNothing(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{})
	c := open(t, server.Addr, three)
	m := message()
	m.Recipients = []string{"mallory@example.com", "B@example.com"}
	receipt, err := c.Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if to := server.Mails()[0].To; !slices.Equal(to, []string{"b@example.com"}) {
		t.Errorf("went to %v", to)
	}
	if got := fmt.Sprint(receipt.Refused); got != "[{mallory@example.com unrouted: not configured any more}]" {
		t.Errorf("refused %s", got)
	}
}

func TestTooManyRecipientsAreSentInFurtherTransactions(t *testing.T) {
	for name, reply := range map[string]error{
		"with its status": smtptest.Reply(452, "4.5.3", "Too many recipients"),
		"as RFC 5321 has": smtptest.Reply(452, "", "Too many recipients"),
	} {
		t.Run(name, func(t *testing.T) {
			var inMail atomic.Int32
			server := smtptest.Start(t, smtptest.Config{
				Mail: func(string) error { inMail.Store(0); return nil },
				Rcpt: func(string) error {
					if inMail.Add(1) > 2 {
						return reply
					}
					return nil
				},
			})
			c := open(t, server.Addr, three)
			receipt, err := c.Send(t.Context(), message())
			if err != nil || len(receipt.Deferred)+len(receipt.Refused) != 0 {
				t.Fatalf("%+v, %v", receipt, err)
			}
			mails := server.Mails()
			if len(mails) != 2 || len(mails[0].To) != 2 || !slices.Equal(mails[1].To, []string{"c@example.com"}) {
				t.Errorf("mails %v", mails)
			}
		})
	}
}

func TestFailureOfAFurtherTransactionConcernsItsRecipientsOnly(t *testing.T) {
	var inMail, ends atomic.Int32
	server := smtptest.Start(t, smtptest.Config{
		Mail: func(string) error { inMail.Store(0); return nil },
		Rcpt: func(string) error {
			if inMail.Add(1) > 2 {
				return smtptest.Reply(452, "4.5.3", "Too many recipients")
			}
			return nil
		},
		Data: func(smtptest.Mail) error {
			if ends.Add(1) > 1 {
				return smtptest.Reply(451, "4.3.0", "disk trouble")
			}
			return nil
		},
	})
	c := open(t, server.Addr, three)
	receipt, err := c.Send(t.Context(), message())
	if err != nil || receipt.ID == "" {
		t.Fatalf("%+v, %v; the first two have it", receipt, err)
	}
	if got := fmt.Sprint(receipt.Deferred); got != "[{c@example.com unavailable: end of data 451 4.3.0}]" {
		t.Errorf("deferred %s", got)
	}
	if wait := outcome.Classify(receipt.Deferred[0].Err).RetryAfter; wait != deferredWait {
		t.Errorf("tried again after %v, want %v", wait, deferredWait)
	}
}

func TestOnlyWhatFailsAfterTheDotIsAmbiguous(t *testing.T) {
	for name, test := range map[string]struct {
		at, answer string
		want       outcome.Cause
	}{
		"dropped at MAIL":       {"MAIL", smtptest.DropNow, outcome.Unreachable},
		"dropped at RCPT":       {"RCPT", smtptest.DropNow, outcome.Unreachable},
		"no answer to RCPT":     {"RCPT", smtptest.HangNow, outcome.Unreachable},
		"dropped at DATA":       {"DATA", smtptest.DropNow, outcome.Unreachable},
		"dropped after the dot": {".", smtptest.DropNow, outcome.Reset},
		"no answer to the dot":  {".", smtptest.HangNow, outcome.Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, smtptest.Raw(t, func(line string) string {
				if strings.HasPrefix(line, test.at) {
					return test.answer
				}
				return smtptest.Default(line)
			}), nil)
			if test.answer == smtptest.HangNow {
				c.hurry(test.at)
			}
			_, err := c.Send(t.Context(), message())
			if got := cause(err); got != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
			if outcome.Classify(err).Answered {
				t.Error("counts as answered")
			}
		})
	}
}

func TestDropInsideTheBodyIsClean(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{Body: func() error { return smtptest.Drop }})
	c := open(t, server.Addr, nil)
	s, err := c.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := &composed{from: "alerts@example.com", bytes: []byte(strings.Repeat(strings.Repeat("x", 98)+"\r\n", 200_000))}
	_, err = s.transact(t.Context(), m, []string{"desk@example.com"}, time.Second)
	if e := classify(t.Context(), err); e.Cause != outcome.Unreachable || e.Detail != "body: connection lost" {
		t.Errorf("%v, want unreachable: body: connection lost", e)
	}
}

func TestCancelledSendIsAbandoned(t *testing.T) {
	for _, st := range []string{"RCPT", "."} {
		asked := make(chan struct{}, 1)
		addr := smtptest.Raw(t, func(line string) string {
			if strings.HasPrefix(line, st) {
				asked <- struct{}{}
				return smtptest.HangNow
			}
			return smtptest.Default(line)
		})
		c := open(t, addr, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		if _, err := c.Send(ctx, message()); cause(err) != outcome.Abandoned {
			t.Errorf("cancelled at %s: %v, want abandoned", st, err)
		}
	}
}

func TestDeadlineOfTheAttemptAfterTheDotIsAmbiguous(t *testing.T) {
	for st, want := range map[string]outcome.Cause{"RCPT": outcome.Unreachable, ".": outcome.Timeout} {
		ctx := expiring{t.Context(), make(chan struct{})}
		addr := smtptest.Raw(t, func(line string) string {
			if strings.HasPrefix(line, st) {
				close(ctx.done)
				return smtptest.HangNow
			}
			return smtptest.Default(line)
		})
		c := open(t, addr, nil)
		if _, err := c.Send(ctx, message()); cause(err) != want {
			t.Errorf("deadline at %q: %v, want %s", st, err, want)
		}
	}
}

func TestWaitingForAConnectionEndsWithTheContext(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{})
	c := open(t, server.Addr, func(c *Config) { c.Connections = 1 })
	if err := c.pool.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.pool.release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Send(ctx, message()); cause(err) != outcome.Abandoned {
		t.Errorf("cancelled: %v, want abandoned", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.Send(ctx, message()); cause(err) != outcome.Unreachable {
		t.Errorf("out of time: %v, want unreachable", err)
	}
}
