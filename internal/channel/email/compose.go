package email

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// maxSubject is the longest subject, in runes.
const maxSubject = 120

// composed is a mail ready for the wire.
type composed struct {
	id    string // the Message-ID, in angle brackets
	from  string // the envelope's sender
	bytes []byte
}

// compose turns m into the bytes of a mail. They are the same on every attempt
// but for what the message says about the attempt itself.
//
// The Message-ID comes from the delivery, so that mailboxes which recognise
// repeats can drop them. References names a root that no mail has, one per
// rule and alert key: mail programs show the alerts of one key as a thread.
func (c *Channel) compose(m channel.Message) (*composed, error) {
	_, domain, _ := strings.Cut(c.from.Address, "@")
	id := fmt.Sprintf("%s@%s", m.Delivery, domain)
	root := fmt.Sprintf("<%s@%s>", thread(&m.Alert), domain)

	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(boundary(m.Delivery)))
	msg.FromMailAddress(c.from)
	msg.ToMailAddress(c.to...)
	msg.Subject(literal(subject(&m.Alert)))
	msg.SetDateWithValue(m.Now.UTC())
	msg.SetMessageIDWithValue(id)
	msg.SetGenHeader(gomail.HeaderReferences, root)
	msg.SetGenHeader(gomail.HeaderInReplyTo, root)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834
	msg.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")

	v := newView(m, c.zone)
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
	return &composed{id: "<" + id + ">", from: c.from.Address, bytes: b.Bytes()}, nil
}

// subject is the severity and the title. Visible leaves no line break in it.
func subject(a *alert.Alert) string {
	return clipRunes(word(a.Severity)+": "+alert.Visible(a.Title.String()), maxSubject)
}

// literal encodes a header's text that holds "=?", so that mail programs show it as
// it is: what looks like an encoded word would be decoded (RFC 2047, 6.2), after we
// looked at it. go-mail encodes only what is not ASCII.
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

// thread names what the mails about one alert key have in common.
func thread(a *alert.Alert) string {
	sum := sha256.Sum256([]byte(a.Rule + "\x00" + strings.Join(a.Key, "\x00")))
	return "thread." + hex.EncodeToString(sum[:16])
}

// boundary separates the parts; it must not occur in them.
func boundary(delivery string) string {
	sum := sha256.Sum256([]byte("boundary\x00" + delivery))
	return hex.EncodeToString(sum[:16])
}
