package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// maxSubject is the longest subject, in runes.
const maxSubject = 120

// composed is a complete mail.
type composed struct {
	id    string // the Message-ID, in angle brackets
	from  string // the envelope sender
	to    []string
	utf8  bool // an address is not ASCII: the server must support SMTPUTF8
	bytes []byte
}

// compose renders m as a mail. The Message-ID derives from the delivery, so that
// mailboxes can drop duplicates. Mail clients show the alerts of one group or alert key
// as a thread: see thread.go.
//
// The header To has all recipients, those whose address is not ASCII only in an
// international mail.
func (c *Channel) compose(m channel.Message, international bool) (*composed, error) {
	_, domain, _ := strings.Cut(c.from.Address, "@")
	id := fmt.Sprintf("%s@%s", m.Delivery, domain)
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(boundary(m.Delivery)))
	msg.FromMailAddress(c.from)
	msg.ToMailAddress(slices.DeleteFunc(slices.Clone(c.to), func(a *netmail.Address) bool { return !international && !ascii(a.Address) })...)
	msg.Subject(literal(subject(m)))
	msg.SetDateWithValue(m.Now.UTC())
	msg.SetMessageIDWithValue(id)
	setThread(msg, m, domain)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834
	msg.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")

	v := newView(m)
	html, err := v.html()
	if err != nil {
		return nil, err
	}
	msg.SetBodyString(gomail.TypeTextPlain, v.text())
	msg.AddAlternativeString(gomail.TypeTextHTML, html)
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, err
	}
	return &composed{id: "<" + id + ">", from: c.from.Address, utf8: international || !ascii(c.from.Address), bytes: b.Bytes()}, nil
}

// withoutUTF8 returns the result of a mail that needs SMTPUTF8 at a server
// without it.
func (m *composed) withoutUTF8(to []string) (v result, err error) {
	if e := noUTF8(); !ascii(m.from) {
		e.Cause, e.Do = outcome.Misconfigured, "set from to an address in ASCII"
		return v, e
	}
	for _, recipient := range to {
		v.refused = append(v.refused, channel.Refusal{Recipient: recipient, Err: noUTF8()})
	}
	return v, nil
}

// noUTF8 is the refusal of an address whose local part is not ASCII.
func noUTF8() *outcome.Error {
	return outcome.Errorf(outcome.RecipientRefused, "the server does not support SMTPUTF8, which an address that is not ASCII needs")
}

// subject is severity or state and title, on one line.
func subject(m channel.Message) string {
	flat := m.Flat(m.Location(), 1, maxSubject)
	return clipRunes(m.Heading()+": "+alert.Visible(flat.Alert.Title.String()), maxSubject)
}

// literal encodes a header text that contains "=?", so that mail clients do not
// decode it as an encoded word (RFC 2047, 6.2). go-mail encodes only non-ASCII
// texts.
func literal(s string) string {
	const most = 45 // bytes of each encoded word, which has at most 75 characters
	if !strings.Contains(s, "=?") {
		return s
	}
	var words []string
	for s != "" {
		n := min(len(s), most)
		for n > 0 && n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, " ")
}

// boundary is the MIME boundary between the parts.
func boundary(delivery string) string {
	sum := sha256.Sum256([]byte("boundary\x00" + delivery))
	return hex.EncodeToString(sum[:16])
}
