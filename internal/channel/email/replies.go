package email

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/outcome"
)

// row maps a reply to a cause. Empty conditions always match; the first
// matching row decides.
type row struct {
	stages []stage
	codes  string         // reply codes or their first digits, separated by spaces
	status string         // enhanced status codes (RFC 3463) or their ends, separated by spaces; "-": none
	text   *regexp.Regexp // of the text with addresses replaced
	cause  outcome.Cause
	retry  time.Duration
	do     string // the remedy; empty: the cause's
}

const (
	greylistWait = 5 * time.Minute // the usual delay of greylisting
	mailboxWait  = 15 * time.Minute
	loginWait    = time.Minute // "too many logins"
	quotaWait    = time.Hour   // daily quota
	hourlyWait   = 15 * time.Minute
)

// Remedies that name the setting a reply is about.
const (
	fixHELO        = "set helo to the fully qualified name of this host, which the server must find in DNS"
	fixHost        = "have the server accept this host, have its address named in DNS (PTR) or taken off the block list; or log in (username, password)"
	fixFrom        = "set from to an address of an existing domain that this host or login may send from"
	fixLogin       = "set username and password, and check that they may send from this address"
	fixTLS         = "set tls: mandatory, or tls: implicit for TLS from the first byte"
	fixRelay       = "have the server relay for this host or login (username, password), or set server to one that accepts this recipient"
	fixConnections = "lower connections, or have the server allow this host more"
)

// desync marks a reply out of sequence: Misconfigured on a new connection,
// else Unavailable.
const desync outcome.Cause = "desync"

func words(patterns ...string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)` + strings.Join(patterns, "|"))
}

var (
	greylist   = words(`gr[ae]y-?list`, `not yet authorized to deliver`, `receiving mail (at a rate|too quickly)`)
	fullText   = words(`mailbox[^.]*(full|exceed)`, `full mailbox`, `\bquota\b`, `over ?quota`, `out of storage`)
	dailyText  = words(`daily[^.]*(limit|quota)`, `(sending|sender|outgoing)[^.]*quota`)
	hourlyText = words(`per hour`, `hourly[^.]*(limit|quota)`)
	sesRate    = words(`maximum sending rate`)
	rateText   = words(`throttl`, `sending rate`, `rate limit`, `unusual rate`, `too (much|many) (e?-?mails?|messages)`, `too many recipients from`)
	// manyText is no outage: other connections of ours may deliver meanwhile.
	manyText       = words(`too many (concurrent )?(smtp )?(connections|sessions)`, `concurrent (connections|sessions)`, `connections? (rate )?limit`)
	manyRecipients = words(`too many recipients`)
	tls530         = words(`starttls`, `tls required`)
	tlsText        = words(`(tls|encryption) (is )?required`, `requires? (tls|starttls|encryption)`, `must (first )?(issue|use) (a )?(starttls|tls)`)
	loginText      = words(`authenticat\w+ (is )?required`, `not authenticated`, `\bauth(entication)? (command )?first`, `(please|must|need to) (be )?(authenticat|log ?in)`,
		`requires? authentication`, `turn on smtp auth`)
	laterText = words(`temporar(y|il)`, `(try|retry)( it| again| sending)* (later|in )`, `come back later`)
	// troubleText names faults of the server, which are shorter than greylisting.
	troubleText = words(`local (problem|error)`, `temporary lookup`, `lookup (failure|error)`, `internal error`, `service (is )?(currently |temporarily )?unavailable($|[^;])`,
		`server (is )?busy`, `configuration (problem|error)`, `resources`, `timed? ?out`, `callout`, `overload`, `storage`, `verification in progress`)
	spfText  = words(`\b(spf|dkim|dmarc)\b`, `openspf`, `sender policy framework`)
	heloText = words(`\b(helo|ehlo)\b`)
	hostText = words(`client host`, `(find|resolve) your (reverse )?(host|address|name|ip)`, `(reverse|forward) (dns|host|lookup)`, `\bptr\b`, `name lookup failed`, `blocked using`,
		`reverse (record|entry|name)`, `\b(fc)?rdns\b`,
		`^((your|client|sending) )?(host|ip( address)?)( \S+)? (is )?not (authori[sz]ed|allowed|permitted)`, `verify your (host|ip)`,
		`(black|block) ?list`, `\b(dnsb|rb)l\b`, `spamhaus|spamcop`, `(your|sender|dynamic|sending|this) ip\b`)
	// nameText is about the name in EHLO, unless a reply says that the server looked the
	// address up.
	nameText = words(`your host ?name`, `host ?name you`, `(bad|invalid|unqualified) host ?name`, `host ?name \S+ (is not|does not|not|must)`)
	fromText = words(`sender (e?-?mail|address|envelope|domain|identity|verif)`, `sender( was| is)? (rejected|not (allowed|accepted))`, `(invalid|bogus) (sender|mail from)`,
		`mail from not`, `verification failed for \[address\]`, `domain of sender`, `from address`, `to send as`)
	// relay5Text is loose: a refusal for good that has the word is about relaying.
	relay5Text = words(`\brelay\b`, `handle mail for`)
	relayText  = words(`relay(ing)? (access )?(is )?(denied|not|prohibited|disallowed)`, `to relay`, `relaying`, `rcpthost`)
	ownText    = words(`address is not verified`, `verified sender`, `to send as`, `\bdmarc policy`)

	transfer   = []stage{mailFrom, rcptTo, data, body, final}
	content    = []stage{data, body, final}
	beforeMail = []stage{connect, greeting}
	// envelope are the stages whose replies are about the sender and its host,
	// never about the content.
	envelope = []stage{connect, greeting, ehlo, mailFrom, rcptTo, data}
	commands = append(slices.Clone(envelope), auth)
)

// authenticity are the statuses of a sender that is not authentic: RFC 3463,
// RFC 7372, RFC 7505, and 5.7.60 of Exchange.
const authenticity = ".1.8 .7.20 .7.21 .7.22 .7.23 .7.24 .7.26 .7.27 .7.60"

var rows = []row{
	{stages: []stage{auth}, codes: "421 454", cause: outcome.Unavailable, retry: loginWait},
	{stages: []stage{auth}, codes: "5", text: laterText, cause: outcome.Unavailable, retry: loginWait},

	// Quotas and deferrals, whatever they are said about. Amazon SES replies 454,
	// Gmail 550 5.4.5, Exchange Online 550 5.7.232 or .233.
	{stages: transfer, codes: "4 5", text: dailyText, cause: outcome.RateLimited, retry: quotaWait},
	{stages: transfer, codes: "5", status: "5.4.5 5.7.232 5.7.233", cause: outcome.RateLimited, retry: quotaWait},
	{stages: transfer, codes: "4 5", text: hourlyText, cause: outcome.RateLimited, retry: hourlyWait},
	{stages: transfer, codes: "4", text: sesRate, cause: outcome.RateLimited, retry: 2 * time.Second},
	{stages: transfer, codes: "4 5", text: rateText, cause: outcome.RateLimited, retry: time.Minute},
	{stages: commands, codes: "4 5", text: manyText, cause: outcome.RateLimited, do: fixConnections},
	{stages: transfer, codes: "4 5", text: greylist, cause: outcome.Greylisted, retry: greylistWait},
	{stages: transfer, codes: "4 5", status: "4.2.2 5.2.2", cause: outcome.MailboxFull, retry: mailboxWait},
	{stages: []stage{rcptTo}, codes: "4 5", text: fullText, cause: outcome.MailboxFull, retry: mailboxWait},
	{stages: []stage{data, final}, codes: "452 552", status: "-", text: fullText, cause: outcome.MailboxFull, retry: mailboxWait},

	// A recipient that the server cannot judge now: its domain is not found, or its
	// own server does not answer. Other recipients are not concerned.
	{stages: []stage{rcptTo}, codes: "4", status: "4.1.1 4.1.2 4.1.3 4.1.4 4.1.6 4.2.1", cause: outcome.RecipientDelayed, retry: greylistWait},
	{stages: []stage{rcptTo}, codes: "4", status: "-", text: words(`recipient address rejected`), cause: outcome.RecipientDelayed, retry: greylistWait},

	// The server's own trouble: X.3.X is the mail system's status.
	{stages: envelope, codes: "4", status: ".3.0 .3.1 .3.2 .3.5", cause: outcome.Unavailable},
	{stages: []stage{mailFrom, rcptTo}, codes: "4", text: troubleText, cause: outcome.Unavailable},

	{codes: "530", text: tls530, cause: outcome.Misconfigured, do: fixTLS},
	{codes: "530", cause: outcome.Credentials, do: fixLogin},
	{stages: commands, codes: "4 5", text: tlsText, cause: outcome.Misconfigured, do: fixTLS},

	// The recipient's own rules about senders, as Exchange has them for groups.
	{stages: []stage{rcptTo}, codes: "5", status: "5.7.124 5.7.129 5.7.133", cause: outcome.RecipientRefused},
	{stages: []stage{rcptTo}, codes: "4 5", text: relayText, cause: outcome.RecipientRefused, do: fixRelay},
	{stages: envelope, codes: "4 5", text: loginText, cause: outcome.Credentials, do: fixLogin},
	{stages: transfer, codes: "500 502 503", cause: desync},
	{stages: []stage{ehlo}, codes: "500 502 503", cause: outcome.Misconfigured},

	// This host, its name and the sender: our configuration.
	{stages: envelope, codes: "4 5", status: ".7.25", cause: outcome.Misconfigured, do: fixHost},
	{stages: envelope, codes: "4 5", status: authenticity, cause: outcome.Misconfigured, do: fixFrom},
	{stages: envelope, codes: "4 5", text: spfText, cause: outcome.Misconfigured, do: fixFrom},
	{stages: envelope, codes: "4 5", text: fromText, cause: outcome.Misconfigured, do: fixFrom},
	{stages: envelope, codes: "4 5", text: heloText, cause: outcome.Misconfigured, do: fixHELO},
	{stages: envelope, codes: "4 5", text: hostText, cause: outcome.Misconfigured, do: fixHost},
	{stages: envelope, codes: "4 5", text: nameText, cause: outcome.Misconfigured, do: fixHELO},
	{stages: []stage{rcptTo}, codes: "5", text: relay5Text, cause: outcome.RecipientRefused, do: fixRelay},
	{stages: content, codes: "5", status: ".7.25", cause: outcome.Misconfigured, do: fixHost},
	{stages: content, codes: "5", status: authenticity, cause: outcome.Misconfigured, do: fixFrom},
	{stages: content, codes: "5", text: ownText, cause: outcome.Misconfigured, do: fixFrom}, // Amazon SES, SendGrid, Exchange

	{codes: "421", cause: outcome.Unavailable},
	{stages: beforeMail, codes: "4 5", cause: outcome.Unavailable},
	{stages: []stage{ehlo, starttls, auth}, codes: "4", cause: outcome.Unavailable},
	{stages: []stage{ehlo}, codes: "5", text: laterText, cause: outcome.Unavailable},
	{stages: []stage{ehlo}, codes: "501 504 550 553", cause: outcome.Misconfigured, do: fixHELO},
	{stages: []stage{ehlo, starttls}, codes: "5", cause: outcome.Misconfigured},
	{stages: []stage{auth}, codes: "502 503 504", cause: outcome.Misconfigured},
	{stages: []stage{auth}, codes: "5", cause: outcome.Credentials},

	{stages: []stage{rcptTo}, codes: "450 451", status: "4.7.1 4.2.0 -", cause: outcome.Greylisted, retry: greylistWait},
	{stages: []stage{final}, codes: "4", text: troubleText, cause: outcome.Unavailable},
	{stages: []stage{final}, codes: "4", status: "4.7.1", cause: outcome.Greylisted, retry: greylistWait}, // rspamd: "Try again later"
	{stages: transfer, codes: "4", cause: outcome.Unavailable},
	{stages: transfer, codes: "5", text: laterText, cause: outcome.Unavailable},

	{stages: []stage{mailFrom, data, body, final}, codes: "552", cause: outcome.PayloadTooLarge},
	{stages: transfer, codes: "5", status: "5.3.4 5.2.3", cause: outcome.PayloadTooLarge},
	{stages: []stage{data}, codes: "504", cause: desync},
	{stages: []stage{data}, codes: "554", status: "5.5.1", cause: desync},
	{stages: []stage{final}, codes: "501 504", cause: desync},
	{stages: []stage{mailFrom}, codes: "5", cause: outcome.Misconfigured, do: fixFrom},
	{stages: []stage{rcptTo}, codes: "5", cause: outcome.RecipientRefused},
	{stages: content, codes: "5", cause: outcome.PayloadRefused},

	{cause: desync},
}

func (r row) matches(st stage, code, status, text string) bool {
	return (r.stages == nil || slices.Contains(r.stages, st)) &&
		(r.codes == "" || slices.ContainsFunc(strings.Fields(r.codes), func(p string) bool { return strings.HasPrefix(code, p) })) &&
		(r.status == "" || slices.ContainsFunc(strings.Fields(r.status), func(p string) bool { return strings.HasSuffix(status, p) })) &&
		(r.text == nil || r.text.MatchString(text))
}
