package webhook_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/webhook"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

func newChannel(t *testing.T, config webhook.Config) *webhook.Channel {
	t.Helper()
	c, err := webhook.New(config, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func send(t *testing.T, c *webhook.Channel, m channel.Message) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := c.Send(ctx, m)
	return err
}

func message() channel.Message {
	m := channeltest.Message()
	m.Now = time.Now() // receivers check the timestamp
	m.Alert.EventTime = m.Now.Add(-3 * time.Millisecond)
	return m
}

func TestRequestIsSignedWithAlertAndEvent(t *testing.T) {
	s := webhooktest.Start(t, "a-secret-of-ours", nil)
	c := newChannel(t, webhook.Config{
		URL: secret.New(s.URL + "/hook?key=k"), Secret: []secret.String{secret.New("raw:a-secret-of-ours")},
		Headers: map[string]secret.String{"Authorization": secret.New("Bearer t0ken")},
	})
	m := message()
	m.Suppressed, m.Instead = 14, &channel.Instead{Channel: "desk-slack", Cause: "suspended: invalid_auth"}
	if err := send(t, c, m); err != nil {
		t.Fatal(err)
	}
	r := s.Requests()[0]
	if r.Header.Get("webhook-id") != m.Delivery || r.Header.Get("Authorization") != "Bearer t0ken" || r.Path != "/hook?key=k" || r.Header.Get("Idempotency-Key") != "" {
		t.Errorf("%s %v", r.Path, r.Header)
	}
	var doc struct {
		Alert map[string]any
		Event json.RawMessage
	}
	if err := json.Unmarshal(r.Body, &doc); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(doc.Event, m.Event) {
		t.Errorf("the event is %s", doc.Event)
	}
	if got := fmt.Sprint(doc.Alert["instead"]); got != "map[cause:suspended: invalid_auth channel:desk-slack]" {
		t.Errorf("it was meant for %s", got)
	}
	for key, want := range map[string]any{
		"id": m.Alert.ID, "rule": "order-rejected", "severity": "warning", "group": "ACC-1042/HALTED", "state": "firing", "count": 15.0,
		"title": "Rejected: <NVDA> & *co* <!channel> (halted)", "topic": "trade-executions",
	} {
		if doc.Alert[key] != want {
			t.Errorf("%s is %v, want %v", key, doc.Alert[key], want)
		}
	}
}

func TestNonJSONEventIsBase64(t *testing.T) {
	s := webhooktest.Start(t, "", nil)
	c := newChannel(t, webhook.Config{URL: secret.New(s.URL)})
	for value, want := range map[string]string{
		`{"x":NaN}`: `"event":null,"event_base64":"eyJ4IjpOYU59"}`,
		"":          `"event":null,"event_base64":""}`,
	} {
		m := message()
		m.Event = []byte(value)
		if err := send(t, c, m); err != nil {
			t.Fatal(err)
		}
		requests := s.Requests()
		if body := string(requests[len(requests)-1].Body); !strings.HasSuffix(body, want) {
			t.Errorf("%q: %s", value, body)
		}
	}
}

func TestEveryAnswerHasItsMeaning(t *testing.T) {
	soon := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	for name, c := range map[string]struct {
		answer webhooktest.Answer
		cause  outcome.Cause // empty: delivered
		after  time.Duration
	}{
		"200":                  {webhooktest.Answer{}, "", 0},
		"202 with HTML":        {webhooktest.Answer{Status: 202, Body: "<html>"}, "", 0},
		"204":                  {webhooktest.Answer{Status: 204}, "", 0},
		"302":                  {webhooktest.Answer{Status: 302, Header: map[string]string{"Location": "/other"}}, outcome.Destination, 0},
		"307":                  {webhooktest.Answer{Status: 307, Header: map[string]string{"Location": "/other"}}, outcome.Destination, 0},
		"400":                  {webhooktest.Answer{Status: 400, Body: "no title"}, outcome.PayloadRefused, 0},
		"401":                  {webhooktest.Answer{Status: 401}, outcome.Credentials, 0},
		"403":                  {webhooktest.Answer{Status: 403}, outcome.Credentials, 0},
		"404":                  {webhooktest.Answer{Status: 404}, outcome.Destination, 0},
		"405":                  {webhooktest.Answer{Status: 405}, outcome.Destination, 0},
		"408":                  {webhooktest.Answer{Status: 408}, outcome.Unavailable, 0},
		"409":                  {webhooktest.Answer{Status: 409}, outcome.PayloadRefused, 0},
		"410":                  {webhooktest.Answer{Status: 410}, outcome.Destination, 0},
		"413":                  {webhooktest.Answer{Status: 413}, outcome.PayloadTooLarge, 0},
		"422":                  {webhooktest.Answer{Status: 422}, outcome.PayloadRefused, 0},
		"425":                  {webhooktest.Answer{Status: 425}, outcome.Unavailable, 0},
		"429":                  {webhooktest.Answer{Status: 429}, outcome.RateLimited, 0},
		"429 in seconds":       {webhooktest.Answer{Status: 429, Header: map[string]string{"Retry-After": "7"}}, outcome.RateLimited, 7 * time.Second},
		"429 negative":         {webhooktest.Answer{Status: 429, Header: map[string]string{"Retry-After": "-7"}}, outcome.RateLimited, 0},
		"429 in the past":      {webhooktest.Answer{Status: 429, Header: map[string]string{"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}}, outcome.RateLimited, 0},
		"503 at once":          {webhooktest.Answer{Status: 503, Header: map[string]string{"Retry-After": "0"}}, outcome.Unavailable, 0},
		"429 absurd":           {webhooktest.Answer{Status: 429, Header: map[string]string{"Retry-After": "99999999999999"}}, outcome.RateLimited, time.Hour},
		"429 words":            {webhooktest.Answer{Status: 429, Header: map[string]string{"Retry-After": "later"}}, outcome.RateLimited, 0},
		"500":                  {webhooktest.Answer{Status: 500}, outcome.MaybeProcessed, 0},
		"502":                  {webhooktest.Answer{Status: 502, Body: "<html>bad gateway</html>"}, outcome.MaybeProcessed, 0},
		"503":                  {webhooktest.Answer{Status: 503}, outcome.Unavailable, 0},
		"503 with Retry-After": {webhooktest.Answer{Status: 503, Header: map[string]string{"Retry-After": "2.5"}}, outcome.RateLimited, 2500 * time.Millisecond},
		"599":                  {webhooktest.Answer{Status: 599}, outcome.Unavailable, 0},
		"418":                  {webhooktest.Answer{Status: 418}, outcome.Unavailable, 0},
		"disable":              {webhooktest.Answer{Status: 500, Header: map[string]string{"webhook-delivery": "disable"}}, outcome.Destination, 0},
		"abort":                {webhooktest.Answer{Status: 500, Header: map[string]string{"webhook-delivery": "abort-message"}}, outcome.PayloadRefused, 0},
		"reset after":          {webhooktest.Answer{ResetAfter: true}, outcome.Reset, 0},
		"reset inside":         {webhooktest.Answer{ResetInside: true}, "", 0},
		"reset inside a 500":   {webhooktest.Answer{Status: 500, ResetInside: true}, outcome.MaybeProcessed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer { return c.answer })
			err := send(t, newChannel(t, webhook.Config{URL: secret.New(s.URL)}), message())
			want := 1
			if name == "413" { // once more without the event
				want = 2
			}
			if n := len(s.Requests()); n != want {
				t.Errorf("%d requests were made", n)
			}
			if c.cause == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			e := channeltest.AssertCause(t, err, c.cause)
			if e.RetryAfter != c.after {
				t.Errorf("Retry-After is %s, want %s", e.RetryAfter, c.after)
			}
			if want := strings.Contains("401 403 404 405", name); e.MaybeMessage != want {
				t.Errorf("may concern this message alone: %v", e.MaybeMessage)
			}
		})
	}
	t.Run("429 as a date", func(t *testing.T) {
		s := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
			return webhooktest.Answer{Status: 429, Header: map[string]string{"Retry-After": soon}}
		})
		e := channeltest.AssertCause(t, send(t, newChannel(t, webhook.Config{URL: secret.New(s.URL)}), message()), outcome.RateLimited)
		if e.RetryAfter < 80*time.Second || e.RetryAfter > 90*time.Second {
			t.Errorf("Retry-After is %s", e.RetryAfter)
		}
	})
	t.Run("409 on a resend", func(t *testing.T) {
		s := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer { return webhooktest.Answer{Status: 409} })
		m := message()
		m.MayBeDuplicate = true
		if err := send(t, newChannel(t, webhook.Config{URL: secret.New(s.URL)}), m); err != nil {
			t.Errorf("the receiver knows it already: %v", err)
		}
	})
}

func TestConnectionsThatFail(t *testing.T) {
	gone := httptest.NewServer(nil)
	url := gone.URL
	gone.Close()
	channeltest.AssertCause(t, send(t, newChannel(t, webhook.Config{URL: secret.New(url)}), message()), outcome.Unreachable)
	channeltest.AssertCause(t, send(t, newChannel(t, webhook.Config{URL: secret.New("http://no-such-host.invalid/")}), message()), outcome.Unreachable)
	channeltest.AssertCause(t, send(t, newChannel(t, webhook.Config{URL: secret.New("http://169.254.169.254/latest")}), message()), outcome.Misconfigured)

	encrypted := httptest.NewTLSServer(http.NotFoundHandler())
	defer encrypted.Close()
	encrypted.Config.ErrorLog = nil
	channeltest.AssertCause(t, send(t, newChannel(t, webhook.Config{URL: secret.New(encrypted.URL)}), message()), outcome.TLSFailed)

	ctx, pass := channeltest.Deadline(t.Context())
	hanging := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{ByBody: func([]byte) webhooktest.Answer {
			pass()
			return webhooktest.Answer{Hang: true}
		}}
	})
	_, err := newChannel(t, webhook.Config{URL: secret.New(hanging.URL)}).Send(ctx, message())
	channeltest.AssertCause(t, err, outcome.Timeout)

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		hanging.Wait(5*time.Second, func(r []webhooktest.Request) bool { return len(r) == 2 })
		cancel()
	}()
	_, err = newChannel(t, webhook.Config{URL: secret.New(hanging.URL)}).Send(ctx, message())
	channeltest.AssertCause(t, err, outcome.Abandoned)
}

func TestResetBeforeBodyIsNotAmbiguous(t *testing.T) {
	s := webhooktest.Start(t, "", func(int, webhooktest.Request) webhooktest.Answer { return webhooktest.Answer{ResetBefore: true} })
	m := message()
	m.Event = append(append([]byte(`"`), bytes.Repeat([]byte("x"), 32<<20)...), '"') // more than the system's buffers take
	channeltest.AssertCause(t, send(t, newChannel(t, webhook.Config{URL: secret.New(s.URL)}), m), outcome.Unreachable)
}

func TestTrustsOnlyTheConfiguredCertificates(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := send(t, newChannel(t, webhook.Config{URL: secret.New(s.URL), CA: file}), message()); err != nil {
		t.Error(err)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	s := webhooktest.Start(t, "", func(n int, _ webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{Status: []int{200, 429, 503, 400}[n%4], Body: strings.Repeat("x", 100_000)}
	})
	c := newChannel(t, webhook.Config{URL: secret.New(s.URL)})
	for range 20 {
		_ = send(t, c, message())
	}
	connections := map[string]bool{}
	for _, r := range s.Requests() {
		connections[r.Remote] = true
	}
	if len(connections) != 1 {
		t.Errorf("20 posts took %d connections", len(connections))
	}
}

func TestNoSecretIsShown(t *testing.T) {
	const key, signing, token = "k3y-in-the-path", "s1gning-secret-of-ours", "t0ken-in-a-header"
	echo := func(_ int, r webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{Status: 400, Body: "bad: " + r.Path + " " + r.Header.Get("Authorization") + " " + signing, Header: map[string]string{"X-Key": key}}
	}
	s := webhooktest.Start(t, signing, echo)
	config := webhook.Config{
		URL: secret.New(s.URL + "/" + key), Secret: []secret.String{secret.New("raw:" + signing)},
		Headers: map[string]secret.String{"Authorization": secret.New(token)},
	}
	channeltest.AssertLeaksNoSecret(t, send(t, newChannel(t, config), message()), key, signing, token)
	s.Down()
	channeltest.AssertLeaksNoSecret(t, send(t, newChannel(t, config), message()), key, signing, token)
}

func TestResponseRepeatingPayloadIsNotShown(t *testing.T) {
	s := webhooktest.Start(t, "", nil)
	s.SetAnswer(func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{Status: 400, Body: `invalid: {"event_type":"order.rejected","symbol"`}
	})
	err := send(t, newChannel(t, webhook.Config{URL: secret.New(s.URL)}), message())
	if e := channeltest.AssertCause(t, err, outcome.PayloadRefused); strings.Contains(e.Detail, "order.rejected") {
		t.Errorf("the detail shows the payload: %s", e.Detail)
	}
}

func TestConfigurationFaults(t *testing.T) {
	t.Setenv("HOOK", "https://user:pw@example.com/x")
	for text, want := range map[string]string{
		`{}`:                                                  "url: is missing",
		`{url: "ftp://x"}`:                                    "url: must begin with https:// or http://",
		`{url: "https://"}`:                                   "url: has no host",
		`{url: env:HOOK}`:                                     "url: contains a user: set the header Authorization instead",
		`{url: env:NO_SUCH_HOOK}`:                             "url: environment variable NO_SUCH_HOOK is not set",
		`{url: "https://a/", secrt: x}`:                       `secrt: unknown key: did you mean "secret"?`,
		`{url: "https://a/", secret: "whsec_%"}`:              "secret: is not base64: copy it as the receiver shows it, or write raw: before a text that is the key itself",
		`{url: "https://a/", secret: "my own secret"}`:        "secret: is not base64: copy it as the receiver shows it, or write raw: before a text that is the key itself",
		`{url: "https://a/", secret: MTIzNDU2Nzg5MDEyMzQ1}`:   "secret: is a key of 15 bytes, which is too short: use 24 or more, such as whsec_ and the output of 'openssl rand -base64 32'",
		`{url: "https://a/", secret: "raw:0123456789abcdef"}`: "warning: secret: is a key of 16 bytes: Standard Webhooks asks for 24 or more",
		`{url: "https://a/", secret: ["raw:0123456789abcdef01234567", "raw:0123456789abcdef01234567", "raw:0123456789abcdef01234567"]}`: "secret: lists 3 secrets: list the new one and the old one",
		`{url: "https://a/", secret: []}`:                "secret: lists no secret: name one, or leave the key out",
		`{url: "https://a/", headers: {"a b": c}}`:       "headers.a b: is not a header name",
		`{url: "https://a/", headers: {webhook-id: c}}`:  "headers.webhook-id: is set by the notifier itself",
		`{url: "https://a/", headers: {TraceParent: c}}`: "headers.TraceParent: is set by the notifier itself",
		`{url: "https://a/", ca: none.pem}`:              "ca: cannot read certificates: open none.pem: no such file or directory",
	} {
		var c webhook.Config
		faults := yamldoc.Decode("f", "", []byte(text), &c)
		if len(faults) != 1 || !strings.HasSuffix(faults[0].String(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, faults, want)
		}
	}
}

// TestCredentialsInTheClearAreRejected: alerts alone are a warning, and
// insecure: true allows both.
func TestCredentialsInTheClearAreRejected(t *testing.T) {
	t.Setenv("VALUE", "v")
	const fault = "f:1:7: url: begins with http://: %s would travel in the clear"
	for text, want := range map[string]string{
		`{url: "http://hook.example.com/", headers: {Authorization: "Bearer x"}}`:                            fmt.Sprintf(fault, "the header Authorization"),
		`{url: "http://hook.example.com/", headers: {x-api-key: x}}`:                                         fmt.Sprintf(fault, "the header x-api-key"),
		`{url: "http://hook.example.com/", headers: {x-team: env:VALUE}}`:                                    fmt.Sprintf(fault, "the header x-team"),
		`{url: "http://hook.example.com/?token=abc"}`:                                                        fmt.Sprintf(fault, "its query"),
		`{url: "http://10.0.0.1/", headers: {Cookie: x}}`:                                                    fmt.Sprintf(fault, "the header Cookie"),
		`{url: "http://hook.example.com/"}`:                                                                  "f:1:7: warning: url: begins with http://: alerts travel in the clear",
		`{url: "http://hook.example.com/", secret: "raw:0123456789abcdef01234567", headers: {x-team: desk}}`: "f:1:7: warning: url: begins with http://: alerts",
		`{url: "http://hook.example.com/", insecure: true, headers: {Authorization: "Bearer x"}}`:            "",
		`{url: "http://127.0.0.1:1/", headers: {Authorization: "Bearer x"}}`:                                 "",
		`{url: "http://localhost:1/?token=x"}`:                                                               "",
		`{url: "https://hook.example.com/?token=x", headers: {Authorization: "Bearer x"}}`:                   "",
		`{url: "https://hook.example.com/", insecure: true}`:                                                 "f:1:46: warning: insecure: has no effect",
	} {
		var c webhook.Config
		faults := yamldoc.Decode("f", "", []byte(text), &c)
		if want == "" && len(faults) > 0 || want != "" && (len(faults) != 1 || !strings.HasPrefix(faults[0].String(), want)) {
			t.Errorf("%s\n got %v\nwant %s", text, faults, want)
		}
	}
}

// TestSecretsReloadWithoutRestart also covers invalid new values, which leave
// the previous ones in use.
func TestSecretsReloadWithoutRestart(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, second := webhooktest.Start(t, "", nil), webhooktest.Start(t, "new-signing-secret", nil)
	write("url", first.URL)
	write("secret", "raw:old-signing-secret")
	write("token", "Bearer old-token\n")
	var config webhook.Config
	if faults := yamldoc.Decode("f", dir, []byte(`{url: "file:url", secret: "file:secret", headers: {Authorization: "file:token"}}`), &config); len(faults.Errors()) > 0 {
		t.Fatal(faults)
	}
	var logs bytes.Buffer
	c := newChannel(t, config)
	c.SetLogger(slog.New(slog.NewTextHandler(&logs, nil)))
	token := func(s *webhooktest.Server, posts int) string {
		t.Helper()
		if err := send(t, c, message()); err != nil {
			t.Fatal(err)
		}
		list := s.Requests()
		if len(list) != posts {
			t.Fatalf("%d posts arrived, want %d", len(list), posts)
		}
		return list[posts-1].Header.Get("Authorization")
	}
	if got := token(first, 1); got != "Bearer old-token" {
		t.Errorf("at first the token is %q", got)
	}
	write("token", "Bearer new-token")
	if got := token(first, 2); got != "Bearer new-token" {
		t.Errorf("replaced, the token is %q", got)
	}
	posts := 2
	for name, bad := range map[string]string{
		"url": "http", "token": "", "secret": "whsec_%%", "url ": "http://hook.example.com/", // with a token, it may not go there
	} {
		name = strings.TrimSpace(name)
		before, _ := os.ReadFile(filepath.Join(dir, name))
		write(name, bad)
		for range 2 {
			posts++
			if got := token(first, posts); got != "Bearer new-token" {
				t.Errorf("with %q in %s, the token is %q", bad, name, got)
			}
		}
		write(name, string(before))
	}
	write("secret", "raw:new-signing-secret")
	write("url", second.URL)
	if got := token(second, 1); got != "Bearer new-token" { // which checks the signature
		t.Errorf("at the other receiver, the token is %q", got)
	}
	second.SetAnswer(func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{Status: 401, Body: "new-token is not known"}
	})
	err := send(t, c, message())
	channeltest.AssertLeaksNoSecret(t, err, "new-token", "new-signing-secret")
	text := logs.String()
	if strings.Count(text, "are invalid, still") != 3 || strings.Count(text, "secrets changed") < 2 {
		t.Errorf("the log:\n%s", text)
	}
	for _, s := range []string{"-token", "-secret", second.URL} {
		if strings.Contains(text, s) {
			t.Errorf("the log shows %s:\n%s", s, text)
		}
	}
}

// TestCAReloadsWithoutRestart also covers a half-written file, which leaves the
// previous certificates in use.
func TestCAReloadsWithoutRestart(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	whole := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	file := filepath.Join(t.TempDir(), "ca.pem")
	write := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(otherAuthority(t))
	c := newChannel(t, webhook.Config{URL: secret.New(s.URL), CA: file})
	channeltest.AssertCause(t, send(t, c, message()), outcome.TLSFailed)
	write(whole)
	if err := send(t, c, message()); err != nil {
		t.Errorf("with its authority: %v", err)
	}
	write(whole[:100])
	if err := send(t, c, message()); err != nil {
		t.Errorf("with half a file: %v", err)
	}
}

func TestHTTP2IsUsed(t *testing.T) {
	var protocol atomic.Value
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { protocol.Store(r.Proto) }))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := send(t, newChannel(t, webhook.Config{URL: secret.New(s.URL), CA: file}), message()); err != nil || protocol.Load() != "HTTP/2.0" {
		t.Errorf("%v, %v", protocol.Load(), err)
	}
}

// otherAuthority returns an unrelated CA certificate.
func otherAuthority(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
