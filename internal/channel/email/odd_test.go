package email

import (
	"bytes"
	"mime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// FuzzMail puts one odd text everywhere where an event or a rule can put one.
func FuzzMail(f *testing.F) {
	for _, text := range []string{
		"", " ", "\x00", "a\r\nBcc: mallory@example.com\r\n\r\nbody", "\r", "\n.\r\n", ".\r\n", "\u2028\u202e\u200b\ufeff",
		"🔴👩‍👩‍👧‍👦", "=?utf-8?q?=0D=0ABcc:_x?=", "\xff\xfe", "<script>alert(1)</script>", "--", "javascript:alert(1)",
		"https://example.com/\" onmouseover=\"x", "https://exa mple.com/%zz", "{{.Severity}}",
		strings.Repeat("a", 10_000), strings.Repeat("<", 10_000), strings.Repeat("日本 ", 10_000), strings.Repeat("\u202e", 10_000),
	} {
		f.Add(text)
	}
	c, err := New(Config{Server: "127.0.0.1:25", From: "Alerts <alerts@example.com>", To: []string{"desk@example.com"}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := odd(text)
		mail, err := c.compose(m, false)
		if err != nil {
			t.Fatal(err)
		}
		checkHead(t, mail.bytes)
		header, plain, html := parts(t, mail.bytes)
		if to := header["To"]; len(to) != 1 || to[0] != "<desk@example.com>" {
			t.Errorf("goes to %q", to)
		}
		if shown, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject")); err != nil || strings.Join(strings.Fields(shown), " ") != strings.Join(strings.Fields(subject(m)), " ") {
			t.Errorf("the subject is read as %q, %v, want %q", shown, err, subject(m))
		}
		if len(html) > 102_000 || strings.Contains(html, "<script") || strings.Contains(html, "ZgotmplZ") {
			t.Errorf("HTML of %d bytes: %.500q", len(html), html)
		}
		if !strings.HasPrefix(plain, "CRITICAL: ") {
			t.Errorf("the text begins with %.100q", plain)
		}
		for _, body := range []string{plain, html} {
			if i := strings.IndexAny(body, "\x00\r\u202e\u2028\u200b"); i >= 0 {
				t.Errorf("a hidden character is obeyed: %.100q", body[i:])
			}
			if utf8.ValidString(text) && !utf8.ValidString(body) {
				t.Error("cut inside of a character")
			}
		}
	})
}

func odd(text string) channel.Message {
	m := message()
	value := alert.Text{{Text: text, Value: true}}
	m.Delivery += text[:min(len(text), 100)]
	m.Alert.Severity = alert.Critical
	m.Alert.ID, m.Alert.Rule, m.Alert.Topic = text, text, text
	m.Alert.EventType, m.Alert.EventID, m.Alert.Runbook = text, text, text
	m.Alert.Key = []string{text, text}
	m.Opened, m.Instead = text, &channel.Instead{Channel: text, Cause: text}
	m.Alert.Title, m.Alert.Text = value, alert.Text{{Text: text}, {Text: text, Value: true}}
	m.Alert.Fields = slices.Repeat([]alert.Field{{Label: text, Value: value}}, 30)
	return m
}

// checkHead fails the test unless the head is what RFC 5322 allows, and holds
// no header but ours.
func checkHead(t *testing.T, mail []byte) {
	t.Helper()
	head, _, ok := bytes.Cut(mail, []byte("\r\n\r\n"))
	if !ok {
		t.Fatalf("no end of the head: %.200q", mail)
	}
	known := []string{ // each once
		"Date", "From", "To", "Subject", "Message-ID", "References", "In-Reply-To", "MIME-Version",
		"Thread-Topic", "Thread-Index", "Auto-Submitted", "X-Auto-Response-Suppress", "Content-Type",
	}
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if len(line) > 998 || strings.TrimSpace(line) == "" ||
			strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r > '~' }) {
			t.Fatalf("line of the head: %q", line)
		}
		if line[0] == ' ' || line[0] == '\t' { // of the header above
			continue
		}
		name, _, _ := strings.Cut(line, ":")
		if i := slices.Index(known, name); i >= 0 {
			known = slices.Delete(known, i, i+1)
		} else {
			t.Errorf("header not known, or once more: %q", line)
		}
	}
	if len(known) > 0 {
		t.Errorf("headers that are missing: %v", known)
	}
}
