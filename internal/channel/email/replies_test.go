package email

import (
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// TestServerTextsMapToCauses has what servers write: Postfix 3.7 and Exim 4.96
// as observed, the others as documented.
func TestServerTextsMapToCauses(t *testing.T) {
	const (
		greylisted = 5 * time.Minute
		host       = "<unknown[192.0.2.7]>: Client host rejected: "
	)
	for _, test := range []struct {
		from  string
		at    stage
		reply string
		want  outcome.Cause
		retry time.Duration
		do    string
	}{
		// This host's name.
		{"postfix", rcptTo, "450 4.7.1 <notifier-1>: Helo command rejected: Host not found", outcome.Misconfigured, 0, fixHELO},
		{"postfix", rcptTo, "504 5.5.2 <notifier-1>: Helo command rejected: need fully-qualified hostname", outcome.Misconfigured, 0, fixHELO},
		{"postfix", rcptTo, "501 5.5.2 <notifier 1>: Helo command rejected: Invalid name", outcome.Misconfigured, 0, fixHELO},
		{"postfix", ehlo, "450 4.7.1 <notifier-1>: Helo command rejected: Host not found", outcome.Misconfigured, 0, fixHELO},
		{"postfix", mailFrom, "550 5.7.1 <notifier-1>: Helo command rejected: Access denied", outcome.Misconfigured, 0, fixHELO},
		{"exim", ehlo, "501 Syntactically invalid EHLO argument(s)", outcome.Misconfigured, 0, fixHELO},
		{"exim", ehlo, "550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", outcome.Misconfigured, 0, fixHELO},
		{"exim", rcptTo, "550 HELO name notifier-1 is not fully qualified", outcome.Misconfigured, 0, fixHELO},
		{"any", rcptTo, "550 Your host name is not in DNS", outcome.Misconfigured, 0, fixHELO},
		{"any", rcptTo, "550 5.7.1 Your hostname does not resolve", outcome.Misconfigured, 0, fixHELO},
		{"any", mailFrom, "550 Hostname notifier-1 is not in DNS", outcome.Misconfigured, 0, fixHELO},
		{"any", rcptTo, "554 5.7.1 The host name you gave is not valid", outcome.Misconfigured, 0, fixHELO},
		{"any", rcptTo, "550 Your host name (notifier-1) must be fully qualified", outcome.Misconfigured, 0, fixHELO},
		{"any", rcptTo, "550 Bad hostname in greeting", outcome.Misconfigured, 0, fixHELO},
		{"exchange", ehlo, "501 5.5.4 Invalid domain name", outcome.Misconfigured, 0, fixHELO},
		{"an old server", ehlo, "500 5.5.1 EHLO: command unrecognized", outcome.Misconfigured, 0, ""},

		// This host.
		{"postfix", rcptTo, "450 4.7.25 " + host + "cannot find your hostname, [192.0.2.7]", outcome.Misconfigured, 0, fixHost},
		{"postfix", rcptTo, "450 4.7.1 " + host + "cannot find your reverse hostname, [192.0.2.7]", outcome.Misconfigured, 0, fixHost},
		{"postfix", rcptTo, "554 5.7.1 " + host + "Access denied", outcome.Misconfigured, 0, fixHost},
		{"postfix", rcptTo, "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org", outcome.Misconfigured, 0, fixHost},
		{"postfix", rcptTo, "450 4.7.1 Service unavailable; Client host [192.0.2.7] blocked using bl.example.net", outcome.Misconfigured, 0, fixHost},
		{"postfix", greeting, "554 5.7.1 " + host + "Access denied", outcome.Misconfigured, 0, fixHost},
		{"gmail", final, "550-5.7.25 [192.0.2.7] The IP address sending this message does not have a PTR\n550 5.7.25 record setup.", outcome.Misconfigured, 0, fixHost},
		{"sendmail", mailFrom, "550 5.7.1 Fix reverse DNS for 192.0.2.7", outcome.Misconfigured, 0, fixHost},
		{"microsoft", mailFrom, "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Part of their network is on our block list (S3140).", outcome.Misconfigured, 0, fixHost},
		{"any", rcptTo, "550 Your host 192.0.2.7 has no reverse DNS entry", outcome.Misconfigured, 0, fixHost},
		{"any", rcptTo, "550 5.7.1 No rDNS for 192.0.2.7", outcome.Misconfigured, 0, fixHost},
		{"any", rcptTo, "550 Host is not authorized to send mail to this server", outcome.Misconfigured, 0, fixHost},
		{"any", rcptTo, "550 Your IP address 192.0.2.7 is not allowed to connect", outcome.Misconfigured, 0, fixHost},
		{"any", rcptTo, "550 no valid reverse record for [192.0.2.7]", outcome.Misconfigured, 0, fixHost},
		{"any", rcptTo, "550 unable to verify your host", outcome.Misconfigured, 0, fixHost},
		{"any", rcptTo, "550 Forward-confirmed rDNS is required (FCrDNS)", outcome.Misconfigured, 0, fixHost},
		{"exim", greeting, "421 Too many concurrent SMTP connections; please try again later.", outcome.RateLimited, 0, fixConnections},
		{"postfix", greeting, "421 4.7.0 mail.example.com Error: too many connections from 192.0.2.7", outcome.RateLimited, 0, fixConnections},
		{"exchange", auth, "432 4.3.2 Concurrent connections limit exceeded", outcome.RateLimited, 0, fixConnections},

		// The sender.
		{"postfix", rcptTo, "450 4.1.8 <alerts@example.com>: Sender address rejected: Domain not found", outcome.Misconfigured, 0, fixFrom},
		{"postfix", rcptTo, "504 5.5.2 <alerts@notifier-1>: Sender address rejected: need fully-qualified address", outcome.Misconfigured, 0, fixFrom},
		{"postfix", rcptTo, "553 5.7.1 <alerts@example.com>: Sender address rejected: not owned by user notifier", outcome.Misconfigured, 0, fixFrom},
		{"exim", rcptTo, "550-Verification failed for <alerts@example.com>\n550-Unrouteable address\n550 Sender verify failed", outcome.Misconfigured, 0, fixFrom},
		{"exim", rcptTo, "550-Verification failed for <alerts@example.com>\n550 Unrouteable address", outcome.Misconfigured, 0, fixFrom},
		{"sendmail", mailFrom, "451 4.1.8 Domain of sender address alerts@example.com does not resolve", outcome.Misconfigured, 0, fixFrom},
		{"policyd-spf", rcptTo, "550 5.7.23 <desk@example.com>: Recipient address rejected: Message rejected due to: SPF fail - not authorized. Please see http://www.openspf.net/Why?s=helo;id=notifier-1", outcome.Misconfigured, 0, fixFrom},
		{"gmail", final, "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n550 5.7.26 Gmail requires all senders to authenticate", outcome.Misconfigured, 0, fixFrom},
		{"exchange", final, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", outcome.Misconfigured, 0, fixFrom},
		{"ses", final, "554 Message rejected: Email address is not verified. The following identities failed the check: alerts@example.com", outcome.Misconfigured, 0, fixFrom},
		{"sendgrid", final, "550 The from address does not match a verified Sender Identity.", outcome.Misconfigured, 0, fixFrom},
		{"any", mailFrom, "504 5.5.4 parameter not implemented", outcome.Misconfigured, 0, fixFrom},

		{"an old gateway", rcptTo, "550 sender was rejected", outcome.Misconfigured, 0, fixFrom},
		{"any", final, "550 5.7.1 Email rejected per DMARC policy for example.com", outcome.Misconfigured, 0, fixFrom},

		// A login or encryption that is missing.
		{"postfix", mailFrom, "530 5.7.0 Must issue a STARTTLS command first", outcome.Misconfigured, 0, fixTLS},
		{"postfix", rcptTo, "450 4.7.1 Session encryption is required", outcome.Misconfigured, 0, fixTLS},
		{"exchange", mailFrom, "530 5.7.57 Client not authenticated to send mail.", outcome.Credentials, 0, fixLogin},
		{"qmail", mailFrom, "503 AUTH first (#5.5.1)", outcome.Credentials, 0, fixLogin},
		{"hmailserver", rcptTo, "550 SMTP authentication is required.", outcome.Credentials, 0, fixLogin},
		{"dovecot", auth, "535 5.7.8 Error: authentication failed: Temporary authentication failure", outcome.Unavailable, time.Minute, ""},
		{"office 365", auth, "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.", outcome.Credentials, 0, ""},

		// Relaying: all recipients are refused, so the destination is wrong.
		{"postfix", rcptTo, "554 5.7.1 <desk@example.com>: Relay access denied", outcome.Destination, 0, fixRelay},
		{"postfix", rcptTo, "454 4.7.1 <desk@example.com>: Relay access denied", outcome.Destination, 0, fixRelay},
		{"exim", rcptTo, "550 relay not permitted", outcome.Destination, 0, fixRelay},
		{"exim", rcptTo, "550 relay not permitted, authentication required", outcome.Destination, 0, fixRelay},
		{"exchange", rcptTo, "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", outcome.Destination, 0, fixRelay},
		{"sendmail", rcptTo, "550 5.7.1 <desk@example.com>... Relaying denied", outcome.Destination, 0, fixRelay},
		{"qmail", rcptTo, "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", outcome.Destination, 0, fixRelay},

		{"any", rcptTo, "550 this is not an open relay", outcome.Destination, 0, fixRelay},

		// The recipient.
		{"postfix", rcptTo, "504 5.5.2 <desk@local>: Recipient address rejected: need fully-qualified address", outcome.Destination, 0, ""},
		{"postfix", rcptTo, "550 5.1.1 <desk@example.com>: Recipient address rejected: User unknown in virtual mailbox table", outcome.Destination, 0, ""},
		{"exim", rcptTo, "550 Unrouteable address", outcome.Destination, 0, ""},
		{"exim", rcptTo, "550 restricted characters in address", outcome.Destination, 0, ""},
		{"cisco", rcptTo, "550 #5.1.0 Address rejected.", outcome.Destination, 0, ""},
		{"gmail", rcptTo, "550-5.1.1 The email account that you tried to reach does not exist. Please try\n550 5.1.1 double-checking the recipient's email address", outcome.Destination, 0, ""},
		{"qmail", rcptTo, "452 sorry, over the limit (#4.2.2)", outcome.MailboxFull, mailboxWait, ""},
		{"any", rcptTo, "550 No such user at this host", outcome.Destination, 0, ""},
		{"any", rcptTo, "550 5.1.2 Host name of the recipient is not in DNS", outcome.Destination, 0, ""},
		{"any", rcptTo, "550 5.1.2 Bad destination host 'DNS Hard Error looking up example.com'", outcome.Destination, 0, ""},
		{"any", rcptTo, "550 User unknown, check the address and try again", outcome.Destination, 0, ""},
		{"exchange", rcptTo, "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required", outcome.Destination, 0, ""},
		{"any", rcptTo, "550 helo@example.com: no such mailbox", outcome.Destination, 0, ""},
		{"dovecot", rcptTo, "552 5.2.2 <desk@example.com> Quota exceeded (mailbox for user is full)", outcome.MailboxFull, mailboxWait, ""},
		{"gmail", rcptTo, "452 4.2.2 The recipient's inbox is out of storage space and inactive.", outcome.MailboxFull, mailboxWait, ""},
		{"any", rcptTo, "550 user has exceeded its disk quota", outcome.MailboxFull, mailboxWait, ""},
		{"any", rcptTo, "450 mailbox is full", outcome.MailboxFull, mailboxWait, ""},

		{"gmail", rcptTo, "550-5.2.1 The user you are trying to contact is receiving mail at a rate that\n550 5.2.1 prevents additional messages", outcome.Greylisted, greylisted, ""},

		// Greylisting.
		{"postgrey", rcptTo, "450 4.2.0 <desk@example.com>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.com.html", outcome.Greylisted, greylisted, ""},
		{"sqlgrey", rcptTo, "450 4.7.1 <unknown[192.0.2.7]>: Client host rejected: Greylisted for 5 minutes", outcome.Greylisted, greylisted, ""},
		{"greylistd", rcptTo, "451-192.0.2.7 is not yet authorized to deliver mail from\n451-<alerts@example.com> to <desk@example.com>.\n451 Please try later.", outcome.Greylisted, greylisted, ""},
		{"exim", rcptTo, "451 greylisted.", outcome.Greylisted, greylisted, ""},
		{"any", rcptTo, "550 5.7.1 Greylisted, please try again in 300 seconds", outcome.Greylisted, greylisted, ""},
		{"rspamd", final, "451 4.7.1 Try again later", outcome.Greylisted, greylisted, ""},
		{"milter-greylist", rcptTo, "451 4.7.1 Greylisting in action, please come back in 00:05:00", outcome.Greylisted, greylisted, ""},

		// The server's own trouble.
		{"qmail", rcptTo, "451 qmail-smtpd: cannot connect to the database (#4.3.0)", outcome.Unavailable, 0, ""},
		{"exim", rcptTo, "451 Temporary local problem - please try later", outcome.Unavailable, 0, ""},
		{"exim", rcptTo, "451 Could not complete sender verify callout", outcome.Unavailable, 0, ""},
		{"postfix", mailFrom, "451 4.7.1 Service unavailable - try again later", outcome.Unavailable, 0, ""},
		{"postfix", final, "451 4.7.1 Service unavailable - try again later", outcome.Unavailable, 0, ""},
		{"postfix", rcptTo, "451 4.3.5 <desk@example.com>: Recipient address rejected: Server configuration problem", outcome.Unavailable, 0, ""},
		{"postfix", rcptTo, "451 4.3.0 <alerts@example.com>: Sender address rejected: Temporary lookup failure", outcome.Unavailable, 0, ""},
		{"postfix", rcptTo, "450 4.1.7 <alerts@example.com>: Sender address rejected: unverified address: Address verification in progress", outcome.Unavailable, 0, ""},
		{"postscreen", rcptTo, "450 4.3.2 Service currently unavailable", outcome.Unavailable, 0, ""},
		{"any", rcptTo, "550 Mailbox temporarily unavailable", outcome.Unavailable, 0, ""},
		{"any", mailFrom, "554 5.7.1 Service busy, please try again later", outcome.Unavailable, 0, ""},
		{"any", final, "554 Transaction failed, try again later", outcome.Unavailable, 0, ""},
		{"any", ehlo, "554 try again later", outcome.Unavailable, 0, ""},

		// Rates.
		{"any", rcptTo, "550 too many connections from your host", outcome.RateLimited, 0, fixConnections},
		{"any", rcptTo, "452 sending quota exceeded", outcome.RateLimited, quotaWait, ""},
		{"postfix", rcptTo, "450 4.7.1 Error: too many recipients from 192.0.2.7", outcome.RateLimited, time.Minute, ""},
		{"gmail", mailFrom, "421-4.7.28 Gmail has detected an unusual rate of mail\n421 4.7.28 from your IP address", outcome.RateLimited, time.Minute, ""},
		{"any", final, "550 5.7.1 Rate limit exceeded", outcome.RateLimited, time.Minute, ""},
		{"cpanel", rcptTo, "550 Domain example.com has exceeded the max emails per hour (151/150 (100%)) allowed. Message discarded.", outcome.RateLimited, hourlyWait, ""},

		// The content: texts about it never suspend the channel.
		{"any", final, "550 5.7.1 helo, we do not like the sender address in your text", outcome.PayloadRefused, 0, ""},
		{"any", final, "550 5.7.1 the attachment must be authenticated", outcome.PayloadRefused, 0, ""},
		{"any", final, "554 5.7.1 a URL in it is on a blacklist", outcome.PayloadRefused, 0, ""},
	} {
		t.Run(test.from+"/"+test.reply[:min(60, len(test.reply))], func(t *testing.T) {
			command := string(test.at)
			switch test.at {
			case greeting:
				command = ""
			case final:
				command = "."
			}
			addr := smtptest.Raw(t, func(line string) string {
				verb, _, _ := strings.Cut(line, " ")
				switch {
				case verb == command, test.at == ehlo && verb == "HELO":
					return test.reply
				case verb == "EHLO" && test.at == auth:
					return "250-raw\n250 AUTH PLAIN"
				}
				return smtptest.Default(line)
			})
			c := open(t, addr, func(c *Config) {
				if test.at == auth {
					c.Username, c.Password = secret.New("notifier"), secret.New("hunter22")
				}
			})
			_, err := c.Send(t.Context(), message())
			e := outcome.Classify(err)
			if err == nil || e.Cause != test.want || e.RetryAfter != test.retry || e.Do != test.do {
				t.Errorf("%v, wait %v, do %q; want %s, %v, %q", e, e.RetryAfter, e.Do, test.want, test.retry, test.do)
			}
			if e.MaybeMessage != (test.at == final) {
				t.Errorf("may be the message's own fault: %v", e.MaybeMessage)
			}
			if !e.Answered || strings.Contains(e.Error(), "@") || strings.ContainsAny(e.Error(), "\r\n") {
				t.Errorf("answered %v, shown as %q", e.Answered, e.Error())
			}
		})
	}
}

func TestDetailHasServersWords(t *testing.T) {
	long := strings.Repeat("word ", 500)
	for reply, want := range map[string]string{
		"450 4.7.1 <notifier-1>: Helo command rejected: Host not found":             "RCPT 450 4.7.1: <notifier-1>: Helo command rejected: Host not found",
		"550-5.1.1 no <desk@example.com> here,\n550 5.1.1 nor desk@example.com: no": "RCPT 550 5.1.1: no [address] here, nor [address]: no",
		"550 see http://spf.example/Why?id=desk%40example.com;ip=192.0.2.7":         "RCPT 550: see http://spf.example/Why?id=[address];ip=192.0.2.7",
		`550 "the desk"@example.com, bücher@bücher.example`:                         `RCPT 550: [address], [address]`,
		"550 sorry, no mailbox here (#5.1.1)":                                       "RCPT 550 5.1.1: sorry, no mailbox here",
		"550 #5.1.0 Address rejected.":                                              "RCPT 550 5.1.0: Address rejected.",
		"550 a\u202eb hunter22":                                                     "RCPT 550: a⟨U+202E⟩b [redacted]",
		"550":                                                                       "RCPT 550",
		"550 " + long:                                                               "RCPT 550: " + long[:maxShown-len("…")] + "…",
	} {
		addr := smtptest.Raw(t, func(line string) string {
			if strings.HasPrefix(line, "RCPT") {
				return reply
			}
			return smtptest.Default(line)
		})
		c := open(t, addr, func(c *Config) {
			c.Username, c.Password, c.Auth = secret.New("notifier"), secret.New("hunter22"), "plain"
		})
		c.config.Auth = authNone
		_, err := c.Send(t.Context(), message())
		if got := outcome.Classify(err).Detail; got != want {
			t.Errorf("%q\n got %q\nwant %q", reply, got, want)
		}
	}
}
