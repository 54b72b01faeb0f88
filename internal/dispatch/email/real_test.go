//go:build real

package email

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/dispatch/channeltest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestAMailGoesThroughARealServer sends one mail through the SMTP server that
// scripts/smtp.sh starts, and reads it back from the maildir it is put into.
func TestAMailGoesThroughARealServer(t *testing.T) {
	server, maildir := os.Getenv("NOTIFIER_TEST_SMTP"), os.Getenv("NOTIFIER_TEST_MAILDIR")
	if server == "" || maildir == "" {
		t.Fatal("NOTIFIER_TEST_SMTP and NOTIFIER_TEST_MAILDIR are not set: run make test-real")
	}
	c := open(t, server, func(c *Config) {
		c.TLS, c.CA = tlsMandatory, filepath.Join(filepath.Dir(maildir), "ca.pem")
		c.To = []string{"desk@example.com", "risk@example.com"}
	})
	m := channeltest.Message()
	m.Delivery = "dl_" + strings.ToLower(t.Name()) + time.Now().Format("150405000000")
	receipt, err := c.Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if len(receipt.Refused)+len(receipt.Deferred) > 0 {
		t.Fatalf("%+v", receipt)
	}
	var arrived [][]byte
	testkafka.Eventually(t, 20*time.Second, "both mails are in the maildir", func() bool {
		arrived = nil
		files, _ := filepath.Glob(filepath.Join(maildir, "new", "*"))
		for _, f := range files {
			if raw, err := os.ReadFile(f); err == nil && strings.Contains(string(raw), m.Delivery) {
				arrived = append(arrived, raw)
			}
		}
		return len(arrived) == 2
	})
	header, text, html := parts(t, arrived[0])
	if header.Get("Message-Id") != receipt.ID || header.Get("From") != "<alerts@example.com>" && header.Get("From") != "alerts@example.com" {
		t.Errorf("%v", header)
	}
	if !strings.Contains(text, "Rejected: <NVDA> & *co* <!channel> (halted)") || !strings.Contains(html, "Rejected: &lt;NVDA&gt; &amp; *co*") {
		t.Errorf("text:\n%s\nhtml:\n%s", text, html)
	}
	if subject := header.Get("Subject"); !strings.HasPrefix(subject, "Warning: Rejected") && !strings.Contains(subject, "=?") {
		t.Errorf("the subject is %q", subject)
	}
}
