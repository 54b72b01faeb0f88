package registry_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/pagerduty/pagerdutytest"
	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/channel/templated"
	"github.com/algotrade/notifier/internal/channel/templated/templatedtest"
	"github.com/algotrade/notifier/internal/secret"
)

// sink is a provider that keeps what it receives, and forwards it to a stand-in; without one
// it accepts everything.
type sink struct {
	*httptest.Server
	mu   sync.Mutex
	list []channel.Request
}

func newSink(t *testing.T, answer http.Handler) *sink {
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		one := channel.Request{Method: r.Method, Host: r.Host, Headers: make(map[string]string), Body: string(body)}
		for name, values := range r.Header {
			one.Headers[http.CanonicalHeaderKey(name)] = strings.Join(values, ", ")
		}
		s.mu.Lock()
		s.list = append(s.list, one)
		s.mu.Unlock()
		answer.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// accepts answers as every provider does that accepts a message.
var accepts = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/enqueue") {
		w.WriteHeader(http.StatusAccepted)
	}
	_, _ = io.WriteString(w, `{"ok":true,"ts":"1795444265.000100","channel":"C0DESK01","id":"1","name":"1","event":"message","status":"success"}`)
})

// messages are those that previews are compared with.
func messages() map[string]channel.Message {
	resolved := channeltest.Resolved()
	resolved.Opened = "1795444265.000100"
	return map[string]channel.Message{"firing": channeltest.Message(), "resolved": resolved, "digest": channeltest.Digest(30)}
}

// TestPreviewHasBytesThatProviderReceives: of all kinds over HTTP, but for secrets.
func TestPreviewHasBytesThatProviderReceives(t *testing.T) {
	const signingKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	configs := map[string]func(url string) string{
		"webhook": func(url string) string {
			return fmt.Sprintf("webhook: {url: '%s/%s', secret: %s, headers: {X-Desk: %s}}", url, pathKey, signingKey, "t0ken-of-the-desk")
		},
		"slack bot": func(url string) string {
			return fmt.Sprintf("slack: {token: %s, channel: %s, api: '%s/api/'}", slacktest.Token, slacktest.Channel, url)
		},
		"pagerduty": func(url string) string {
			return fmt.Sprintf("pagerduty: {routing_key: %s, url: '%s/enqueue'}", pagerdutytest.Key, url)
		},
		"http own body": func(url string) string {
			return fmt.Sprintf("http: {url: '%s/%s', body: {text: '{{ alert.title }}'}}", url, pathKey)
		},
	}
	for _, preset := range templated.Presets() {
		start := templatedtest.Start(t, preset)
		configs["http "+preset] = func(url string) string {
			return "http: {" + strings.ReplaceAll(start.Config(preset), start.URL, url) + "}"
		}
	}
	for name, config := range configs {
		for state, m := range messages() {
			t.Run(strings.ReplaceAll(name+"/"+state, " ", "-"), func(t *testing.T) {
				s := newSink(t, accepts)
				set, faults := decode("{it: {" + config(s.URL) + "}}")
				if len(faults.Errors()) > 0 {
					t.Fatal(faults)
				}
				c := set.Get("it")
				redactor := secret.NewRedactor(c.Settings())
				ch, err := c.Build("it", registry.Deps{Console: io.Discard, Redactor: redactor})
				if err != nil {
					t.Fatal(err)
				}
				defer ch.(io.Closer).Close()
				p, err := ch.(channel.Previewer).Preview(m)
				if err != nil || len(s.list) > 0 {
					t.Fatalf("%v, %d requests were made", err, len(s.list))
				}
				_, _ = ch.Send(t.Context(), m)
				if len(p.Requests) == 0 || len(p.Requests) > len(s.list) {
					t.Fatalf("%d requests, the provider received %d", len(p.Requests), len(s.list))
				}
				for i, got := range p.Requests {
					want := s.list[i]
					if got.Method != want.Method || got.Host != want.Host || got.Body != redactor.Redact(want.Body) {
						t.Errorf("%+v\nwant %+v", got, want)
					}
					for header, value := range got.Headers {
						sent := redactor.Redact(want.Headers[http.CanonicalHeaderKey(header)])
						if header == "webhook-signature" {
							if value != "v1,[made with the signing secret]" || !strings.HasPrefix(sent, "v1,") {
								t.Errorf("signature %s, sent %s", value, sent)
							}
						} else if value != sent {
							t.Errorf("%s: %s, sent %s", header, value, sent)
						}
					}
				}
				all, _ := json.Marshal(p)
				for _, key := range append([]string{slacktest.Token, pagerdutytest.Key, pathKey, signingKey, "t0ken-of-the-desk"}, templatedtest.Secrets(strings.TrimPrefix(name, "http "))...) {
					if where, leaks := channeltest.FindSecret(string(all), key); leaks {
						t.Errorf("%s in %s", where, all)
					}
				}
			})
		}
	}
}
