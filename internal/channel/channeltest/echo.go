package channeltest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/outcome"
)

// Encoding is one way in which providers, proxies and logs encode a text that
// they echo.
type Encoding struct {
	Name   string
	Encode func(string) string
}

// Encodings are the tested encodings.
var Encodings = []Encoding{
	{"as it is", func(s string) string { return s }},
	{"in JSON", inJSON},
	{"in JSON in JSON", func(s string) string { return inJSON(inJSON(s)) }},
	{"in JSON as PHP writes it", func(s string) string { return strings.ReplaceAll(inJSON(s), "/", `\/`) }},
	{"in JSON, all escaped", func(s string) string {
		var b strings.Builder
		for _, r := range s {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		return b.String()
	}},
	{"quoted by Go", func(s string) string { return fmt.Sprintf("%q", s) }},
	{"in a query", url.QueryEscape},
	{"in a query, small hex digits", func(s string) string {
		return everyHex(url.QueryEscape(s), strings.ToLower)
	}},
	{"in a query in a query", func(s string) string { return url.QueryEscape(url.QueryEscape(s)) }},
	{"in a path", url.PathEscape},
	{"in HTML", html.EscapeString},
	{"in HTML with names", func(s string) string {
		return strings.NewReplacer("&#34;", "&quot;", "&#39;", "&apos;").Replace(html.EscapeString(s))
	}},
	{"in HTML, numbered", func(s string) string {
		var b strings.Builder
		for _, r := range s {
			fmt.Fprintf(&b, "&#x%X;", r)
		}
		return b.String()
	}},
	{"in base64", func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }},
	{"in base64 without padding", func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) }},
	{"in base64 for URLs", func(s string) string { return base64.URLEncoding.EncodeToString([]byte(s)) }},
	{"in base64 for URLs without padding", func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }},
	{"in base64, a byte further", func(s string) string { return base64.StdEncoding.EncodeToString([]byte("a" + s + "z")) }},
	{"in base64, two bytes further", func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("ab" + s + "yz")) }},
	{"in base64 in a query", func(s string) string {
		return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s)))
	}},
}

func inJSON(s string) string {
	b, _ := json.Marshal(s)
	return string(b[1 : len(b)-1])
}

// everyHex applies change to the digits of each %XX.
func everyHex(s string, change func(string) string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			b.WriteString("%" + change(s[i+1:i+3]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Request formats a request, to be echoed in a response.
func Request(r *http.Request, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s http://%s%s", r.Method, r.Host, r.URL.RequestURI())
	for _, name := range sortedNames(r.Header) {
		fmt.Fprintf(&b, " %s: %s", name, strings.Join(r.Header[name], ", "))
	}
	return b.String() + " " + body
}

// SecretsFirst is Request with the secrets at the beginning: only the beginning
// of a long response is shown.
func SecretsFirst(r *http.Request, body string) string {
	form, _ := url.ParseQuery(body)
	return r.Header.Get("Authorization") + " " + form.Get("token") + " " + r.URL.RequestURI() + " " + Request(r, body)
}

func sortedNames(h http.Header) []string {
	var names []string
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// FindSecret returns the encoding of a secret that text contains, and whether
// there is one.
func FindSecret(text string, secrets ...string) (string, bool) {
	for _, secret := range secrets {
		for _, s := range Encodings {
			encoded := s.Encode(secret)
			if strings.Contains(s.Name, "further") { // the ends depend on the bytes around it
				encoded = encoded[2 : len(encoded)-3]
			}
			if strings.Contains(text, strings.TrimRight(encoded, "=")) {
				return s.Name + ": " + encoded, true
			}
		}
	}
	return "", false
}

// EchoTest is a channel whose provider echoes requests.
type EchoTest struct {
	// Start starts a provider whose responses echo the request in this encoding,
	// and returns the channel.
	Start func(t *testing.T, encoding Encoding) channel.Channel
	// Secrets are the channel's configured secrets.
	Secrets []string
}

// Echo tests that no error, receipt or check result contains a secret when the
// provider echoes the request, in each encoding.
func Echo(t *testing.T, e EchoTest) {
	t.Helper()
	for _, s := range Encodings {
		t.Run(strings.ReplaceAll(s.Name, " ", "-"), func(t *testing.T) {
			c := e.Start(t, s)
			receipt, err := c.Send(t.Context(), Message())
			var texts []string
			if err != nil {
				classified := outcome.Classify(err)
				texts = append(texts, err.Error(), classified.Detail, classified.Do, fmt.Sprintf("%+v", err))
				if classified.Err != nil {
					texts = append(texts, classified.Err.Error())
				}
			}
			texts = append(texts, receipt.Answer, receipt.ID)
			for _, refusal := range append(receipt.Refused, receipt.Deferred...) {
				texts = append(texts, refusal.Err.Error())
			}
			if v, ok := c.(channel.Verifier); ok {
				for _, f := range v.Verify(t.Context()) {
					texts = append(texts, f.Subject, f.Message, f.Remedy)
				}
			}
			if err == nil && receipt.Answer == "" {
				t.Error("neither an error nor an answer")
			}
			for _, text := range texts {
				if encoded, found := FindSecret(text, e.Secrets...); found {
					t.Errorf("secret %s\nin %s", encoded, text)
				}
			}
		})
	}
}
