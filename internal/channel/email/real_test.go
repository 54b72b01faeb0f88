//go:build real

package email

import (
	"fmt"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestMailThroughRealServer sends one mail through the SMTP server that
// scripts/smtp.sh starts, and reads it back from the maildir it is put into.
// One of its recipients is refused.
func TestMailThroughRealServer(t *testing.T) {
	server, maildir := os.Getenv("NOTIFIER_TEST_SMTP"), os.Getenv("NOTIFIER_TEST_MAILDIR")
	if server == "" || maildir == "" {
		t.Fatal("NOTIFIER_TEST_SMTP and NOTIFIER_TEST_MAILDIR are not set: run make test-real")
	}
	c := open(t, server, func(c *Config) {
		c.TLS, c.CA = tlsMandatory, filepath.Join(filepath.Dir(maildir), "ca.pem")
		c.To = []string{"desk@example.com", "stranger@example.org", "risk@example.com"}
	})
	m := channeltest.Message()
	m.Delivery = fmt.Sprintf("dl_real%d", time.Now().UnixNano())
	m.Alert.Severity = alert.Critical
	receipt, err := c.Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(receipt.Refused, receipt.Deferred); got != "[{stranger@example.org recipient-refused: RCPT 554 5.7.1: [address]: Relay access denied}] []" {
		t.Errorf("refused and deferred: %s; the server is no relay", got)
	}
	var arrived [][]byte
	testkafka.Eventually(t, 20*time.Second, "both mails are in the maildir", func() bool {
		arrived = nil
		files, _ := filepath.Glob(filepath.Join(maildir, "new", "*"))
		for _, f := range files {
			if raw, err := os.ReadFile(f); err == nil && strings.Contains(string(raw), m.Delivery) {
				arrived = append(arrived, []byte(strings.ReplaceAll(string(raw), "\n", "\r\n")))
			}
		}
		return len(arrived) == 2
	})
	header, text, html := parts(t, arrived[0])
	for name, want := range map[string]string{
		"Message-Id":     receipt.ID,
		"Return-Path":    "<alerts@example.com>",
		"From":           "<alerts@example.com>",
		"To":             "<desk@example.com>, <stranger@example.org>, <risk@example.com>",
		"Subject":        "CRITICAL: Rejected: <NVDA> & *co* <!channel> (halted)",
		"Auto-Submitted": "auto-generated",
	} {
		if got, err := new(mime.WordDecoder).DecodeHeader(header.Get(name)); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	if header.Get("References") == "" || !strings.Contains(header.Get("Received"), "with ESMTPS ") {
		t.Errorf("no thread, or not encrypted: %v", header)
	}
	v := newView(m)
	page, err := v.html()
	if err != nil || text != v.text() || html != page {
		t.Errorf("text:\n%s\nHTML:\n%s", text, html)
	}
}

// TestVerifyRealServerChecksEachRecipient verifies the same channel without
// sending anything.
func TestVerifyRealServerChecksEachRecipient(t *testing.T) {
	server, maildir := os.Getenv("NOTIFIER_TEST_SMTP"), os.Getenv("NOTIFIER_TEST_MAILDIR")
	if server == "" || maildir == "" {
		t.Fatal("NOTIFIER_TEST_SMTP and NOTIFIER_TEST_MAILDIR are not set: run make test-real")
	}
	c := open(t, server, func(c *Config) {
		c.TLS, c.CA = tlsMandatory, filepath.Join(filepath.Dir(maildir), "ca.pem")
		c.To = []string{"desk@example.com", "stranger@example.org", "risk@example.com"}
	})
	channeltest.AssertLines(t, channeltest.Verify(t, c),
		"ok server: "+server+" is ready", "warning encryption: TLS 1.3, certificate until", "ok sender alerts@example.com: accepted",
		"ok recipient desk@example.com: accepted", "failed recipient stranger@example.org: RCPT 554 5.7.1: [address]: Relay access denied → have the server relay", "ok recipient risk@example.com: accepted")
}

// TestRealServerRefusesUnqualifiedName: Postfix accepts the name in EHLO and
// refuses each recipient because of it.
func TestRealServerRefusesUnqualifiedName(t *testing.T) {
	server, maildir := os.Getenv("NOTIFIER_TEST_SMTP"), os.Getenv("NOTIFIER_TEST_MAILDIR")
	if server == "" || maildir == "" {
		t.Fatal("NOTIFIER_TEST_SMTP and NOTIFIER_TEST_MAILDIR are not set: run make test-real")
	}
	ca := filepath.Join(filepath.Dir(maildir), "ca.pem")
	for helo, want := range map[string]string{
		"notifier-1": "misconfigured: RCPT 504 5.5.2: <notifier-1>: Helo command rejected: need fully-qualified hostname",
		"":           "", // the host's name or address
	} {
		c := open(t, server, func(c *Config) { c.TLS, c.CA, c.HELO = tlsMandatory, ca, helo })
		m := channeltest.Message()
		m.Delivery = fmt.Sprintf("dl_real%d", time.Now().UnixNano())
		_, err := c.Send(t.Context(), m)
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && (got != want || outcome.Classify(err).Remedy() != fixHELO) {
			t.Errorf("EHLO %q: %s, want %q", helo, got, want)
		}
	}
}
