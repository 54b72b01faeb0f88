package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/outcome"
)

// row maps a reply to a cause. Empty conditions always match; the first
// matching row decides.
type row struct {
	stages []stage
	codes  string // reply codes or their first digits, separated by spaces
	status string // enhanced status codes (RFC 3463), separated by spaces; "-": none
	text   *regexp.Regexp
	cause  outcome.Cause
	retry  time.Duration
}

const (
	greylistWait = 5 * time.Minute // the usual delay of greylisting
	mailboxWait  = 15 * time.Minute
	loginWait    = time.Minute // "too many logins"
	quotaWait    = time.Hour   // daily quota
)

// desync marks a reply out of sequence: Misconfigured on a new connection,
// else Unavailable.
const desync outcome.Cause = "desync"

var (
	greylist   = regexp.MustCompile(`(?i)gr[ae]y-?list`)
	fullText   = regexp.MustCompile(`(?i)mailbox[^.]*full|over ?quota|quota exceeded`)
	dailyText  = regexp.MustCompile(`(?i)daily[^.]*(limit|quota)`)
	sesRate    = regexp.MustCompile(`(?i)maximum sending rate`)
	rateText   = regexp.MustCompile(`(?i)throttl|sending rate|rate limit|too much mail`)
	tlsText    = regexp.MustCompile(`(?i)starttls|tls required`)
	transfer   = []stage{mailFrom, rcptTo, data, body, final}
	content    = []stage{data, body, final}
	beforeMail = []stage{connect, greeting}
)

var rows = []row{
	{stages: []stage{auth}, codes: "421 454", cause: outcome.Unavailable, retry: loginWait},
	{codes: "421", cause: outcome.Unavailable},
	{stages: beforeMail, codes: "4 5", cause: outcome.Unavailable},
	{codes: "530", text: tlsText, cause: outcome.Misconfigured},
	{codes: "530", cause: outcome.Credentials},

	{stages: []stage{ehlo, starttls, auth}, codes: "4", cause: outcome.Unavailable},
	{stages: []stage{ehlo, starttls}, codes: "5", cause: outcome.Misconfigured},
	{stages: []stage{auth}, codes: "502 503 504", cause: outcome.Misconfigured},
	{stages: []stage{auth}, codes: "5", cause: outcome.Credentials},

	// Amazon SES replies 454, Gmail 550 5.4.5, Exchange Online 550 5.7.232 or .233.
	{stages: transfer, codes: "4 5", text: dailyText, cause: outcome.RateLimited, retry: quotaWait},
	{stages: transfer, codes: "5", status: "5.4.5 5.7.232 5.7.233", cause: outcome.RateLimited, retry: quotaWait},
	{stages: transfer, codes: "4", text: sesRate, cause: outcome.RateLimited, retry: 2 * time.Second},
	{stages: transfer, codes: "4", text: rateText, cause: outcome.RateLimited, retry: time.Minute},
	{stages: transfer, codes: "4 5", status: "4.2.2 5.2.2", cause: outcome.MailboxFull, retry: mailboxWait},
	{stages: []stage{rcptTo, data, final}, codes: "452 552", text: fullText, cause: outcome.MailboxFull, retry: mailboxWait},
	{stages: transfer, codes: "4", text: greylist, cause: outcome.Greylisted, retry: greylistWait},
	{stages: []stage{rcptTo}, codes: "450 451", status: "4.7.1 4.2.0 -", cause: outcome.Greylisted, retry: greylistWait},
	{stages: transfer, codes: "4", cause: outcome.Unavailable},

	{stages: []stage{mailFrom, data, body, final}, codes: "552", cause: outcome.PayloadTooLarge},
	{stages: transfer, codes: "5", status: "5.3.4 5.2.3", cause: outcome.PayloadTooLarge},
	{stages: transfer, codes: "500 502 503 504", cause: desync},
	{stages: []stage{data}, codes: "554", status: "5.5.1", cause: desync},
	{stages: []stage{final}, codes: "501", cause: desync},
	{stages: []stage{mailFrom}, codes: "5", cause: outcome.Misconfigured}, // the configured sender
	{stages: []stage{rcptTo}, codes: "5", cause: outcome.RecipientRefused},
	{stages: content, codes: "5", cause: outcome.PayloadRefused},

	{cause: desync},
}

func (r row) matches(st stage, code, status, text string) bool {
	return (r.stages == nil || slices.Contains(r.stages, st)) &&
		(r.codes == "" || slices.ContainsFunc(strings.Fields(r.codes), func(p string) bool { return strings.HasPrefix(code, p) })) &&
		(r.status == "" || slices.Contains(strings.Fields(r.status), status)) &&
		(r.text == nil || r.text.MatchString(text))
}

var enhanced = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// classify maps a failed attempt to its outcome, by stage and reply. The
// reply's text is left out: it may contain addresses.
func classify(ctx context.Context, err error) *outcome.Error {
	var f *failure
	if !errors.As(err, &f) {
		return outcome.Classify(err)
	}
	var reply *textproto.Error
	if !errors.As(f.err, &reply) {
		return classifyConn(ctx, f)
	}
	code, status := strconv.Itoa(reply.Code), "-"
	if s := enhanced.FindString(reply.Msg); s != "" {
		status = s
	}
	e := &outcome.Error{Answered: true, Err: err}
	for _, r := range rows {
		if r.matches(f.stage, code, status, reply.Msg) {
			e.Cause, e.RetryAfter = r.cause, r.retry
			break
		}
	}
	if e.Cause == desync {
		e.Cause = outcome.Unavailable
		if f.fresh {
			e.Cause = outcome.Misconfigured
		}
	}
	e.Detail = string(f.stage) + " " + code
	if status != "-" {
		e.Detail += " " + status
	}
	return e
}

// tooMany reports whether the server accepts no more recipients in this
// transaction: 452 4.5.3, or a bare 452 (RFC 5321, 4.5.3.1.10).
func tooMany(err error) bool {
	var reply *textproto.Error
	if !errors.As(err, &reply) || reply.Code != 452 {
		return false
	}
	status := enhanced.FindString(reply.Msg)
	return status == "4.5.3" || status == "" && !fullText.MatchString(reply.Msg)
}

// desynchronised reports whether the session cannot continue after this reply.
func desynchronised(code int) bool {
	return code == 421 || code < 400 || code >= 500 && code <= 504 && code != 501
}

// classifyConn classifies a failure without a reply from the server.
func classifyConn(ctx context.Context, f *failure) *outcome.Error {
	e := &outcome.Error{Err: f, Detail: string(f.stage) + ": " + describe(f.err)}
	var (
		garbled     textproto.ProtocolError
		much        excess
		certificate *tls.CertificateVerificationError
		notTLS      tls.RecordHeaderError
	)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &outcome.Error{Cause: outcome.Abandoned, Err: f}
	case f.stage == final && (timedOut(f.err) || ctx.Err() != nil):
		e.Cause, e.Detail = outcome.Timeout, string(f.stage)+": timed out"
	case f.stage == final && (errors.As(f.err, &garbled) || errors.As(f.err, &much)):
		e.Cause = outcome.MaybeProcessed
	case f.stage == final:
		e.Cause = outcome.Reset
	case errors.As(f.err, &certificate):
		e.Cause, e.Detail = outcome.TLSFailed, string(f.stage)+": "+clip(certificate.Err.Error())
	case errors.As(f.err, &notTLS):
		e.Cause, e.Detail = outcome.TLSFailed, string(f.stage)+": the server does not speak TLS on this port"
		if f.stage == connect {
			e.Detail += "; for STARTTLS set tls: mandatory"
		}
	case errors.Is(f.err, egress.ErrBlocked):
		e.Cause, e.Detail = outcome.Misconfigured, string(f.stage)+": "+egress.ErrBlocked.Error()
	case errors.Is(f.err, errNoSTARTTLS), errors.Is(f.err, errMechanism):
		e.Cause, e.Detail = outcome.Misconfigured, clip(f.Error())
	case f.stage == auth && !network(f.err):
		e.Cause = outcome.Credentials // the mechanism failed, such as SCRAM's verification of the server
	default:
		e.Cause = outcome.Unreachable
	}
	return e
}

func timedOut(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func network(err error) bool {
	var n net.Error
	var garbled textproto.ProtocolError
	var much excess
	return errors.As(err, &n) || errors.As(err, &garbled) || errors.As(err, &much) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// describe returns what happened to the connection, without addresses.
func describe(err error) string {
	var dns *net.DNSError
	var errno syscall.Errno
	var garbled textproto.ProtocolError
	var much excess
	switch {
	case errors.As(err, &much):
		return string(much)
	case errors.As(err, &dns) && dns.IsNotFound:
		return "no such host"
	case errors.As(err, &dns):
		return "DNS lookup failed"
	case timedOut(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, net.ErrClosed):
		return "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection lost"
	case errors.As(err, &garbled):
		return "the server does not speak SMTP"
	case errors.As(err, &errno):
		return errno.Error()
	}
	return fmt.Sprintf("%T", err)
}

// clip truncates a detail to 160 bytes.
func clip(s string) string {
	if len(s) <= 160 {
		return s
	}
	return strings.ToValidUTF8(s[:157], "") + "…"
}
