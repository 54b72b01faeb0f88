package email

import (
	"strings"
	"testing"
	"time"
)

func TestForgedRunbookIsNotRendered(t *testing.T) {
	for _, runbook := range []string{"javascript://example.com/%0aalert(1)", "ftp://example.com/x", "https://a.example.com/ x", "https://a.example.com/|x", "call 555-0100 now", "https:///x"} {
		m := message()
		m.Alert.Runbook = runbook
		_, text, html := compose(t, m, time.UTC)
		if strings.Contains(text, "Runbook") || strings.Contains(html, "Runbook") || strings.Contains(html, "<a ") {
			t.Errorf("%s is drawn", runbook)
		}
	}
	m := message()
	m.Alert.Runbook = "https://wiki.example.com/a?b=1&c=2"
	_, text, html := compose(t, m, time.UTC)
	if !strings.Contains(text, "Runbook: https://wiki.example.com/a?b=1&c=2\n") || !strings.Contains(html, `<a href="https://wiki.example.com/a?b=1&amp;c=2"`) {
		t.Errorf("a good link is not drawn: %s", text)
	}
}
