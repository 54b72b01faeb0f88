package alert_test

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/alert"
)

func TestLinkAcceptsOnlyWebAddresses(t *testing.T) {
	for _, s := range []string{
		"https://wiki.example.com/fills", "http://10.0.0.1:8080/a?b=c&d=%7C#e", "https://wiki.example.com/ünï", "HTTPS://wiki.example.com/", "https://[::1]/",
	} {
		if got := alert.Link(s); got != s {
			t.Errorf("%q is drawn as %q", s, got)
		}
	}
	for _, s := range []string{
		"", "!channel", "@U0123456", "wiki.example.com/fills", "/fills", "https://", "https:///fills", "https://:443/", "javascript://example.com/%0aalert(1)", "mailto:ops@example.com",
		"ftp://example.com/", "data:text/html,x", "slack://channel?id=1", "https://a.example.com/|runbook> <!channel>", "https://a.example.com/<b>", "https://a.example.com/a b",
		"https://a.example.com/\u2028", "https://a.example.com/\u202e", "https://a.example.com/\x1b[2J", "https://a.example.com/\nBcc: x", "https://a.example.com/\u00a0", "https://a.example.com/\xff",
		"https://a.example.com/" + strings.Repeat("a", 2000), " https://a.example.com/",
	} {
		if got := alert.Link(s); got != "" {
			t.Errorf("%q is drawn as %q", s, got)
		}
	}
}
