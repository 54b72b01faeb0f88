package email

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/outcome"
)

func TestRefusedRecipientDoesNotBlockOthers(t *testing.T) {
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
	if got := fmt.Sprint(receipt.Refused); got != "[{a@example.com recipient-refused: RCPT 550 5.1.1: [address]: user unknown}]" {
		t.Errorf("refused %s", got)
	}
	if got := fmt.Sprint(receipt.Deferred); got != "[{b@example.com greylisted: RCPT 450 4.7.1: Greylisted, please try again in 300 seconds}]" {
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

func TestNoRecipientAccepted(t *testing.T) {
	unknown := smtptest.Reply(550, "5.1.1", "unknown")
	greylisted := smtptest.Reply(451, "4.7.1", "greylisted")
	full := smtptest.Reply(452, "4.2.2", "mailbox full")
	down := smtptest.Reply(451, "4.3.0", "lookup failed")
	relay := smtptest.Reply(454, "4.7.1", "Relay access denied")
	helo := smtptest.Reply(450, "4.7.1", "<notifier-1>: Helo command rejected: Host not found")
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
		"this host's name, for all":      {[]error{helo, helo, helo}, nil, outcome.Misconfigured, 0},
		"this host's name, and unknown":  {[]error{helo, unknown, unknown}, nil, outcome.Misconfigured, 0},
		"this host's name, tried alone":  {[]error{helo, nil, nil}, []string{"a@example.com"}, outcome.Misconfigured, 0},
		"no relay":                       {[]error{relay, relay, relay}, nil, outcome.Destination, 3},
		"no relay, tried alone":          {[]error{relay, nil, nil}, []string{"a@example.com"}, outcome.RecipientRefused, 1},
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

func TestRemovedRecipientsGetNoMail(t *testing.T) {
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
	if got := fmt.Sprint(receipt.Refused); got != "[{mallory@example.com unrouted: no longer configured}]" {
		t.Errorf("refused %s", got)
	}
}

func TestRecipientsWithTheMailGetNoOther(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{})
	c := open(t, server.Addr, three)
	m := message()
	m.Delivered = []string{"A@example.com", "left@example.com"}
	receipt, err := c.Send(t.Context(), m)
	if err != nil || len(receipt.Refused) > 0 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	want := []string{"b@example.com", "c@example.com"}
	if to := server.Mails()[0].To; !slices.Equal(to, want) || !slices.Equal(receipt.Accepted, want) {
		t.Errorf("went to %v, accepted by %v, want %v", to, receipt.Accepted, want)
	}
	m.Delivered = append(m.Delivered, want...)
	if _, err := c.Send(t.Context(), m); cause(err) != outcome.Unrouted {
		t.Errorf("nobody is left: %v", err)
	}
	if n := len(server.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

func TestTooManyRecipientsUseFurtherTransactions(t *testing.T) {
	for name, reply := range map[string]error{
		"with its status": smtptest.Reply(452, "4.5.3", "Too many recipients"),
		"as RFC 821 had":  smtptest.Reply(552, "", "Too many recipients"),
		"for good":        smtptest.Reply(550, "5.5.3", "Too many recipients"),
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

func TestFailedFurtherTransactionConcernsItsRecipients(t *testing.T) {
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
	if got := fmt.Sprint(receipt.Deferred); got != "[{c@example.com unavailable: end of data 451 4.3.0: disk trouble}]" {
		t.Errorf("deferred %s", got)
	}
	if wait := outcome.Classify(receipt.Deferred[0].Err).RetryAfter; wait != deferredWait {
		t.Errorf("tried again after %v, want %v", wait, deferredWait)
	}
}

// TestFailureNamesRecipients: those the attempt was for, also where the server was not
// asked for any.
func TestFailureNamesRecipients(t *testing.T) {
	grey := smtptest.Start(t, smtptest.Config{Rcpt: func(string) error { return smtptest.Reply(450, "4.7.1", "greylisted") }})
	for name, address := range map[string]string{"greylisting": grey.Addr, "no connection": "127.0.0.1:1"} {
		c := open(t, address, three)
		m := message()
		m.Delivered = []string{"b@example.com"}
		if receipt, err := c.Send(t.Context(), m); err == nil || !slices.Equal(receipt.Lacking, []string{"a@example.com", "c@example.com"}) {
			t.Errorf("%s: %v for %v", name, err, receipt.Lacking)
		}
	}
}
