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

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/outcome"
)

// enhanced matches the enhanced status code (RFC 3463) that begins a line of a
// reply. Cisco's gateways write #5.1.0, qmail (#5.1.0) behind the text.
var enhanced = regexp.MustCompile(`(?m)^#?([245]\.\d{1,3}\.\d{1,3})\b[ \t]*|[ \t]*\(#([245]\.\d{1,3}\.\d{1,3})\)`)

// statusOf returns a reply's enhanced status code; "-": none.
func statusOf(text string) string {
	if m := enhanced.FindStringSubmatch(text); m != nil {
		return m[1] + m[2]
	}
	return "-"
}

// mailAddress matches mail addresses, also escaped for a URL.
var mailAddress = regexp.MustCompile(`<[^<>@\s]*@[^<>\s]*>|"[^"]*"@[^\s<>,;]+|[^\s<>"'(),;:=\[\]]+(@|%40)[^\s<>"'(),;:&\]]+`)

// plain returns a reply's text on one line, without status codes, with mail
// addresses replaced.
func plain(text string) string {
	text = mailAddress.ReplaceAllString(enhanced.ReplaceAllString(text, ""), "[address]")
	return alert.Visible(strings.Join(strings.Fields(text), " "))
}

// classify maps a failed attempt to its outcome, by stage and reply. The detail
// has the server's own words, with mail addresses replaced; a session has
// redacted them.
func classify(ctx context.Context, err error) *outcome.Error {
	var f *failure
	if !errors.As(err, &f) {
		return outcome.Classify(err)
	}
	var reply *textproto.Error
	if !errors.As(f.err, &reply) {
		return classifyConn(ctx, f)
	}
	code, status, text := strconv.Itoa(reply.Code), statusOf(reply.Msg), plain(reply.Msg)
	e := &outcome.Error{Answered: true, MaybeMessage: slices.Contains(content, f.stage), Err: err}
	for _, r := range rows {
		if r.matches(f.stage, code, status, text) {
			e.Cause, e.RetryAfter, e.Do = r.cause, r.retry, r.do
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
	if text != "" {
		e.Detail += ": " + clip(text, maxShown)
	}
	return e
}

// tooMany reports whether the server accepts no more recipients in this
// transaction: X.5.3, those words, or a bare 452 (RFC 5321, 4.5.3.1.10, which
// also has 552).
func tooMany(err error) bool {
	var reply *textproto.Error
	if !errors.As(err, &reply) || reply.Code < 450 {
		return false
	}
	status := statusOf(reply.Msg)
	return strings.HasSuffix(status, ".5.3") || status == "-" && (manyRecipients.MatchString(reply.Msg) ||
		reply.Code == 452 && !fullText.MatchString(reply.Msg))
}

// desynchronised reports whether the session cannot continue after this reply.
func desynchronised(code int) bool {
	return code == 421 || code < 400 || code == 500 || code == 502 || code == 503
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
		e.Cause, e.Detail = outcome.TLSFailed, string(f.stage)+": "+clip(certificate.Err.Error(), maxDetail)
	case errors.As(f.err, &notTLS):
		e.Cause, e.Detail = outcome.TLSFailed, string(f.stage)+": the server does not speak TLS on this port"
		if f.stage == connect {
			e.Detail += "; for STARTTLS set tls: mandatory"
		}
	case errors.Is(f.err, egress.ErrBlocked):
		e.Cause, e.Detail = outcome.Misconfigured, string(f.stage)+": "+egress.ErrBlocked.Error()
	case errors.Is(f.err, errNoSTARTTLS), errors.Is(f.err, errMechanism):
		e.Cause, e.Detail = outcome.Misconfigured, clip(f.Error(), maxDetail)
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

const (
	maxDetail = 160 // bytes of an error's text in a detail
	maxShown  = 320 // bytes of a reply's text in a detail
)

// clip truncates s to most bytes.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-len("…")], "") + "…"
}
