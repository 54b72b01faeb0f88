package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// TestForwardedRefusalNamesProxy: a proxy that forwards requests may have refused it itself.
func TestForwardedRefusalNamesProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer proxy.Close()
	login := strings.Replace(proxy.URL, "http://", "http://ann:pass-phrase-1@", 1)
	c := newChannel(t, webhook.Config{URL: secret.New("http://hook.example.com/x"), Proxy: secret.New(login), Insecure: true})
	e := outcome.Classify(send(t, c, message()))
	if want := "hook.example.com returned 403 through the proxy " + proxy.Listener.Addr().String(); e.Detail != want || e.Cause != outcome.Credentials {
		t.Errorf("%v, want %s", e, want)
	}
	if do := e.Remedy(); !strings.Contains(do, "proxy: of the channel") || !strings.Contains(do, "NO_PROXY") || strings.Contains(do+e.Detail, "pass-phrase") {
		t.Errorf("the remedy is %q", do)
	}
}
