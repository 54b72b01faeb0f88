package email

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

func TestRepliesMapToCausesByStage(t *testing.T) {
	const greylisted, rate = 5 * time.Minute, time.Minute
	for _, test := range []struct {
		at, reply string
		want      outcome.Cause
		retry     time.Duration
		detail    string
	}{
		{"", "421 4.3.2 closing down", outcome.Unavailable, 0, "greeting 421 4.3.2"},
		{"", "450 later", outcome.Unavailable, 0, "greeting 450"},
		{"", "554 5.7.1 blocked", outcome.Unavailable, 0, "greeting 554 5.7.1"},
		{"", "HTTP/1.1 400 Bad Request", outcome.Unreachable, 0, "greeting: the server does not speak SMTP"},
		{"", smtptest.DropNow, outcome.Unreachable, 0, "greeting: connection lost"},
		{"", smtptest.HangNow, outcome.Unreachable, 0, "greeting: timed out"},
		{"EHLO HELO", "502 5.5.1 no", outcome.Misconfigured, 0, "EHLO 502 5.5.1"},
		{"EHLO HELO", "550 5.7.1 who are you", outcome.Misconfigured, 0, "EHLO 550 5.7.1"},
		{"EHLO HELO", "421 busy", outcome.Unavailable, 0, "EHLO 421"},

		{"AUTH", "535 5.7.8 wrong password hunter22", outcome.Credentials, 0, "AUTH 535 5.7.8"},
		{"AUTH", "534 5.7.9 too weak", outcome.Credentials, 0, "AUTH 534 5.7.9"},
		{"AUTH", "538 5.7.11 encrypt", outcome.Credentials, 0, "AUTH 538 5.7.11"},
		{"AUTH", "530 5.7.0 Must issue a STARTTLS command first", outcome.Misconfigured, 0, "AUTH 530 5.7.0"},
		{"AUTH", "504 5.5.4 no such mechanism", outcome.Misconfigured, 0, "AUTH 504 5.5.4"},
		{"AUTH", "454 4.7.0 too many logins", outcome.Unavailable, rate, "AUTH 454 4.7.0"},
		{"AUTH", "421 4.7.0 too many logins", outcome.Unavailable, rate, "AUTH 421 4.7.0"},
		{"AUTH", smtptest.DropNow, outcome.Unreachable, 0, "AUTH: connection lost"},

		{"MAIL", "530 5.7.0 Authentication required", outcome.Credentials, 0, "MAIL 530 5.7.0"},
		{"MAIL", "530 5.7.0 Must issue a STARTTLS command first", outcome.Misconfigured, 0, "MAIL 530 5.7.0"},
		{"MAIL", "550 5.7.1 sender not allowed", outcome.Misconfigured, 0, "MAIL 550 5.7.1"},
		{"MAIL", "553 5.1.8 sender", outcome.Misconfigured, 0, "MAIL 553 5.1.8"},
		{"MAIL", "501 5.1.7 sender", outcome.Misconfigured, 0, "MAIL 501 5.1.7"},
		{"MAIL", "452 4.3.1 disk full", outcome.Unavailable, 0, "MAIL 452 4.3.1"},
		{"MAIL", "451 4.3.0 trouble", outcome.Unavailable, 0, "MAIL 451 4.3.0"},
		{"MAIL", "454 Throttling failure: Maximum sending rate exceeded.", outcome.RateLimited, 2 * time.Second, "MAIL 454"},
		{"MAIL", "454 Throttling failure: Daily message quota exceeded.", outcome.RateLimited, time.Hour, "MAIL 454"},
		{"MAIL", "550 5.4.5 Daily user sending limit exceeded.", outcome.RateLimited, time.Hour, "MAIL 550 5.4.5"},
		{"MAIL", "450 4.7.1 Error: too much mail from 192.0.2.1", outcome.RateLimited, rate, "MAIL 450 4.7.1"},
		{"MAIL", "552 5.3.4 too big", outcome.PayloadTooLarge, 0, "MAIL 552 5.3.4"},
		{"MAIL", "421 4.3.2 closing down", outcome.Unavailable, 0, "MAIL 421 4.3.2"},
		{"MAIL", "503 5.5.1 bad sequence", outcome.Misconfigured, 0, "MAIL 503 5.5.1"},
		{"MAIL", "354 what", outcome.Misconfigured, 0, "MAIL 354"},

		// One recipient: refused means all refused.
		{"RCPT", "550 5.1.1 unknown", outcome.Destination, 0, "RCPT 550 5.1.1"},
		{"RCPT", "551 5.1.6 moved", outcome.Destination, 0, "RCPT 551 5.1.6"},
		{"RCPT", "553 5.1.3 syntax", outcome.Destination, 0, "RCPT 553 5.1.3"},
		{"RCPT", "501 5.1.3 syntax", outcome.Destination, 0, "RCPT 501 5.1.3"},
		{"RCPT", "556 5.1.10 null MX", outcome.Destination, 0, "RCPT 556 5.1.10"},
		{"RCPT", "550 5.2.1 disabled", outcome.Destination, 0, "RCPT 550 5.2.1"},
		{"RCPT", "554 5.7.1 relay access denied", outcome.Destination, 0, "RCPT 554 5.7.1"},
		{"RCPT", "452 4.2.2 full", outcome.MailboxFull, mailboxWait, "RCPT 452 4.2.2"},
		{"RCPT", "552 5.2.2 full", outcome.MailboxFull, mailboxWait, "RCPT 552 5.2.2"},
		{"RCPT", "552 user is over quota", outcome.MailboxFull, mailboxWait, "RCPT 552"},
		{"RCPT", "550 5.4.5 Daily sending quota exceeded", outcome.RateLimited, time.Hour, "RCPT 550 5.4.5"},
		{"RCPT", "450 4.7.1 try later", outcome.Greylisted, greylisted, "RCPT 450 4.7.1"},
		{"RCPT", "451 4.7.1 try later", outcome.Greylisted, greylisted, "RCPT 451 4.7.1"},
		{"RCPT", "450 4.2.0 Recipient address rejected: Greylisted", outcome.Greylisted, greylisted, "RCPT 450 4.2.0"},
		{"RCPT", "451 try later", outcome.Greylisted, greylisted, "RCPT 451"},
		{"RCPT", "450 4.1.2 domain not found", outcome.RecipientDelayed, greylistWait, "RCPT 450 4.1.2"},
		{"RCPT", "452 4.5.3 too many recipients", outcome.Unavailable, 0, "RCPT 452 4.5.3"},
		{"RCPT", "421 4.7.0 bye", outcome.Unavailable, 0, "RCPT 421 4.7.0"},
		{"RCPT", "503 5.5.1 bad sequence", outcome.Misconfigured, 0, "RCPT 503 5.5.1"},
		{"RCPT", "nonsense", outcome.Unreachable, 0, "RCPT: the server does not speak SMTP"},

		{"DATA", "554 5.5.1 no valid recipients", outcome.Misconfigured, 0, "DATA 554 5.5.1"},
		{"DATA", "451 4.3.0 trouble", outcome.Unavailable, 0, "DATA 451 4.3.0"},
		{"DATA", "552 5.3.4 too big", outcome.PayloadTooLarge, 0, "DATA 552 5.3.4"},
		{"DATA", "250 ok", outcome.Misconfigured, 0, "DATA 250"},

		{".", "552 5.3.4 too big", outcome.PayloadTooLarge, 0, "end of data 552 5.3.4"},
		{".", "554 5.2.3 too big", outcome.PayloadTooLarge, 0, "end of data 554 5.2.3"},
		{".", "552 5.2.2 mailbox full", outcome.MailboxFull, mailboxWait, "end of data 552 5.2.2"},
		{".", "552 Mailbox is full", outcome.MailboxFull, mailboxWait, "end of data 552"},
		{
			".", "550-5.4.5 Daily user sending limit exceeded. For more information\n550 5.4.5 see the limits", outcome.RateLimited, time.Hour,
			"end of data 550 5.4.5",
		},
		{".", "550 5.7.233 Your tenant exceeded a limit", outcome.RateLimited, time.Hour, "end of data 550 5.7.233"},
		{".", "554 5.6.0 not MIME", outcome.PayloadRefused, 0, "end of data 554 5.6.0"},
		{".", "550 5.7.1 spam", outcome.PayloadRefused, 0, "end of data 550 5.7.1"},
		{".", "554 5.7.1 spam", outcome.PayloadRefused, 0, "end of data 554 5.7.1"},
		{".", "554 refused", outcome.PayloadRefused, 0, "end of data 554"},
		{".", "451 4.3.0 trouble", outcome.Unavailable, 0, "end of data 451 4.3.0"},
		{".", "452 4.3.1 disk full", outcome.Unavailable, 0, "end of data 452 4.3.1"},
		{".", "451 4.7.1 Greylisting in action", outcome.Greylisted, greylisted, "end of data 451 4.7.1"},
		{".", "421 4.3.2 closing down", outcome.Unavailable, 0, "end of data 421 4.3.2"},
		{".", "nonsense", outcome.MaybeProcessed, 0, "end of data: the server does not speak SMTP"},
		{".", smtptest.DropNow, outcome.Reset, 0, "end of data: connection lost"},
		{".", smtptest.HangNow, outcome.Timeout, 0, "end of data: timed out"},
	} {
		name := strings.Trim(test.at+" "+strings.Trim(test.reply, "\x00"), " ")
		t.Run(name, func(t *testing.T) {
			addr := smtptest.Raw(t, func(line string) string {
				verb, _, _ := strings.Cut(line, " ")
				switch {
				case line == "" && test.at == "", verb != "" && strings.Contains(test.at, verb):
					return test.reply
				case verb == "EHLO" && test.at == "AUTH":
					return "250-raw\n250 AUTH PLAIN"
				}
				return smtptest.Default(line)
			})
			c := open(t, addr, func(c *Config) {
				if test.at == "AUTH" {
					c.Username, c.Password = secret.New("notifier"), secret.New("hunter22")
				}
			})
			if test.reply == smtptest.HangNow {
				c.hurry(test.at)
			}
			_, err := c.Send(t.Context(), message())
			if err == nil {
				t.Fatal("no error")
			}
			e := outcome.Classify(err)
			proper := test.reply[0] >= '2' && test.reply[0] <= '5'
			shown := e.Detail == test.detail || proper && strings.HasPrefix(e.Detail, test.detail+": ")
			if e.Cause != test.want || e.RetryAfter != test.retry || !shown || strings.Contains(e.Detail, "hunter22") {
				t.Errorf("%s, %v, %q; want %s, %v, %q", e.Cause, e.RetryAfter, e.Detail, test.want, test.retry, test.detail)
			}
			if e.Answered != proper {
				t.Errorf("answered: %v, want %v", e.Answered, proper)
			}
		})
	}
}

// TestRecipientReplyConcernsRecipientIfOthersAccepted: the others have the mail.
func TestRecipientReplyConcernsRecipientIfOthersAccepted(t *testing.T) {
	for reply, want := range map[string]struct {
		cause outcome.Cause
		retry time.Duration // 0: refused
		do    string
	}{
		"550 5.1.1 unknown": {outcome.RecipientRefused, 0, "correct the recipient"},
		"504 5.5.2 <a@example.com>: Recipient address rejected: need fully-qualified address": {outcome.RecipientRefused, 0, "correct the recipient"},
		"554 5.7.1 <a@example.com>: Relay access denied":                                      {outcome.RecipientRefused, 0, fixRelay},
		"454 4.7.1 <a@example.com>: Relay access denied":                                      {outcome.RecipientRefused, 0, fixRelay},
		"450 4.7.1 <notifier-1>: Helo command rejected: Host not found":                       {outcome.RecipientRefused, 0, fixHELO},
		"550 5.7.1 Authentication required":                                                   {outcome.RecipientRefused, 0, fixLogin},
		"552 5.2.2 full":                                                                      {outcome.MailboxFull, mailboxWait, "have the recipient's mailbox"},
		"452 4.2.2 full":                                                                      {outcome.MailboxFull, mailboxWait, "have the recipient's mailbox"},
		"450 4.7.1 later":                                                                     {outcome.Greylisted, greylistWait, "nothing"},
		"450 4.1.2 resolver":                                                                  {outcome.RecipientDelayed, greylistWait, "the daemon tries again; if it lasts, check the recipient's address and its domain in DNS"},
		"550 5.4.5 Daily user limit exceeded":                                                 {outcome.RateLimited, quotaWait, "wait"},
	} {
		for _, one := range []string{"a", "c"} { // the first and the last
			addr := smtptest.Raw(t, func(line string) string {
				if line == "RCPT TO:<"+one+"@example.com>" {
					return reply
				}
				return smtptest.Default(line)
			})
			receipt, err := open(t, addr, three).Send(t.Context(), message())
			all := slices.Concat(receipt.Refused, receipt.Deferred)
			if err != nil || receipt.ID == "" || len(all) != 1 || all[0].Recipient != one+"@example.com" {
				t.Errorf("%s: %+v, %v", reply, receipt, err)
				continue
			}
			e := outcome.Classify(all[0].Err)
			if e.Cause != want.cause || e.RetryAfter != want.retry || !strings.HasPrefix(e.Remedy(), want.do) || (len(receipt.Refused) == 1) != (want.retry == 0) {
				t.Errorf("%s: %v, wait %v, %s; want %+v", reply, e, e.RetryAfter, e.Remedy(), want)
			}
		}
	}
}

func TestSTARTTLSReplies(t *testing.T) {
	for _, test := range []struct {
		offer, reply string
		want         outcome.Cause
		detail       string
	}{
		{"250 raw", "", outcome.Misconfigured, "STARTTLS: the server does not offer STARTTLS"},
		{"250-raw\n250 STARTTLS", "454 4.7.0 not now", outcome.Unavailable, "STARTTLS 454 4.7.0: not now"},
		{"250-raw\n250 STARTTLS", "502 5.5.1 no", outcome.Misconfigured, "STARTTLS 502 5.5.1: no"},
		{
			"250-raw\n250 STARTTLS", "220 go ahead\nbut this is no TLS", outcome.TLSFailed,
			"STARTTLS: the server does not speak TLS on this port",
		},
	} {
		addr := smtptest.Raw(t, func(line string) string {
			switch verb, _, _ := strings.Cut(line, " "); verb {
			case "EHLO":
				return test.offer
			case "STARTTLS":
				return test.reply
			}
			return smtptest.Default(line)
		})
		_, err := open(t, addr, func(c *Config) { c.TLS = "mandatory" }).Send(t.Context(), message())
		if e := outcome.Classify(err); e.Cause != test.want || e.Detail != test.detail {
			t.Errorf("%s, %s: %v, want %s, %q", test.offer, test.reply, e, test.want, test.detail)
		}
	}
}

func TestUnreachableServers(t *testing.T) {
	server := smtptest.Start(t, smtptest.Config{TLS: true})
	plain := smtptest.Raw(t, smtptest.Default)
	for _, test := range []struct {
		name, server string
		change       func(*Config)
		want         outcome.Cause
		detail       string
	}{
		{"nobody listens", "127.0.0.1:1", nil, outcome.Unreachable, "connect: connection refused"},
		{
			"a certificate nobody vouches for", server.Addr, func(c *Config) { c.TLS = "mandatory" }, outcome.TLSFailed,
			"STARTTLS: x509: certificate signed by unknown authority",
		},
		{
			"implicit TLS to a port that has none", plain, func(c *Config) { c.TLS = "implicit" }, outcome.TLSFailed,
			"connect: the server does not speak TLS on this port; for STARTTLS set tls: mandatory",
		},
		{
			"a cloud's metadata service", "169.254.169.254:25", nil, outcome.Misconfigured,
			"connect: its address is link-local or a cloud's metadata service, which is never connected to",
		},
		{"a login that the server does not offer", server.Addr, func(c *Config) {
			c.TLS, c.CA, c.Auth = "mandatory", server.CA, "scram"
			c.Username, c.Password = secret.New("notifier"), secret.New("hunter22")
		}, outcome.Misconfigured, ""},
	} {
		_, err := open(t, test.server, test.change).Send(t.Context(), message())
		if e := outcome.Classify(err); e.Cause != test.want || test.detail != "" && e.Detail != test.detail {
			t.Errorf("%s: %v, want %s, %q", test.name, e, test.want, test.detail)
		}
	}
}

func TestDetailsAreBounded(t *testing.T) {
	f := &failure{stage: starttls, err: errNoSTARTTLS}
	for range 10 {
		f.err = &failure{stage: stage(strings.Repeat("€", 30)), err: f.err}
	}
	if e := classifyConn(t.Context(), f); len(e.Detail) > 200 || !strings.HasPrefix(e.Detail, "STARTTLS") {
		t.Errorf("%d bytes: %q", len(e.Detail), e.Detail)
	}
}
