package webhook_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/secret"
)

func TestVerifyReceiverMakesNoRequest(t *testing.T) {
	requests := 0
	receiver := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ })
	encrypted, plain := httptest.NewTLSServer(receiver), httptest.NewServer(receiver)
	defer encrypted.Close()
	defer plain.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: encrypted.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	const key = "k3y-in-the-path"
	last := "skipped receiver: the receiver itself cannot be verified without sending an alert"
	for name, c := range map[string]struct {
		config webhook.Config
		want   []string
	}{
		"a certificate that is trusted": {
			webhook.Config{URL: secret.New(encrypted.URL + "/" + key), CA: file, Secret: []secret.String{secret.New("raw:s1gning-secret-of-ours")}},
			[]string{"ok connection: connected to 127.0.0.1", "ok encryption: TLS 1.3, certificate until 29 Jan 2084", "ok signature: requests are signed", last},
		},
		"one that is not": {
			webhook.Config{URL: secret.New(encrypted.URL + "/" + key)},
			[]string{"ok connection", "failed encryption: 127.0.0.1", "ok signature: requests are not signed", last},
		},
		"in the clear":      {webhook.Config{URL: secret.New(plain.URL + "/" + key)}, []string{"ok connection", "warning encryption: http: alerts travel in the clear", "ok signature", last}},
		"nobody listens":    {webhook.Config{URL: secret.New("https://127.0.0.1:1/" + key)}, []string{"failed connection: 127.0.0.1:1: connection refused → check the name", "ok signature", last}},
		"no such name":      {webhook.Config{URL: secret.New("https://no-such-host.invalid/" + key)}, []string{"failed connection: no-such-host.invalid: no such host", "ok signature", last}},
		"a cloud's service": {webhook.Config{URL: secret.New("http://169.254.169.254/" + key)}, []string{"failed connection: 169.254.169.254: its address is link-local", "ok signature", last}},
	} {
		t.Run(name, func(t *testing.T) {
			channeltest.AssertLines(t, channeltest.Verify(t, newChannel(t, c.config), key, "s1gning-secret"), c.want...)
		})
	}
	if requests > 0 {
		t.Errorf("%d requests were made", requests)
	}
	if d := (webhook.Config{URL: secret.New("https://risk.example.com:8443/hooks/" + key)}).Destination(); strings.Contains(d, key) || d != "https://risk.example.com:8443/…" {
		t.Errorf("the destination is shown as %s", d)
	}
}
