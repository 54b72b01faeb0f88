package email

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/secret"
)

// TestServersMayWriteShortReplies: keywords in small letters (RFC 5321, 4.1.1.1)
// and codes without a text (4.2).
func TestServersMayWriteShortReplies(t *testing.T) {
	addr, ca := smtptest.RawTLS(t, false, func(line string) string {
		verb, _, _ := strings.Cut(line, " ")
		switch verb {
		case "":
			return "220"
		case "EHLO":
			return "250-raw\n250-starttls\n250-Auth plain login\n250-8bitMime\n250-sizE 1000000\n250 help"
		case "STARTTLS":
			return "220"
		case "AUTH":
			return "235"
		case "DATA":
			return "354"
		}
		return "250"
	})
	c := open(t, addr, func(c *Config) {
		c.TLS, c.CA = tlsMandatory, ca
		c.Username, c.Password = secret.New("notifier"), secret.New("hunter22")
	})
	receipt, err := c.Send(t.Context(), message())
	if err != nil || receipt.ID == "" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	if size := c.pool.idle[0].size(); size != 1_000_000 {
		t.Errorf("size %d", size)
	}
}
