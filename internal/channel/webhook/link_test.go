package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/secret"
)

func TestForgedRunbookIsOmitted(t *testing.T) {
	bodies := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		bodies <- string(b)
	}))
	defer s.Close()
	c := newChannel(t, webhook.Config{URL: secret.New(s.URL)})
	for runbook, passed := range map[string]bool{"javascript://example.com/x": false, "!channel": false, "https://wiki.example.com/a": true} {
		m := message()
		m.Alert.Runbook = runbook
		if err := send(t, c, m); err != nil {
			t.Fatal(err)
		}
		if body := <-bodies; strings.Contains(body, `"runbook":`) != passed {
			t.Errorf("%s: %s", runbook, body)
		}
	}
}
