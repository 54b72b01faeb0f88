// Package templatedtest has stand-ins for the providers of the presets. Each checks the
// messages as its provider does, by the provider's documented limits, and answers in the
// provider's form.
package templatedtest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// Answer is a response.
type Answer struct {
	Status int
	Header map[string]string
	Body   string
}

// Request is one received request.
type Request struct {
	Method, URI string
	Header      http.Header
	Body        []byte
}

// provider is how one provider behaves.
type provider struct {
	path   string // of the URL that is configured
	config string // the settings besides the preset; %s is the server's URL with path
	serve  func(r Request) Answer
	secret []string
}

var providers = map[string]provider{
	"discord":      {"/api/webhooks/112233445566/D1scordSecretToken", "url: %q", discord, []string{"D1scordSecretToken"}},
	"telegram":     {"", "url: %q, token: '" + botToken + "', chat: '-1001234567890'", telegram, []string{botToken}},
	"teams":        {"/workflows/w0rkflow/triggers/manual/paths/invoke?sp=run&sig=T3amsSignature", "url: %q", teams, []string{"T3amsSignature"}},
	"mattermost":   {"/hooks/m4ttermostHookId", "url: %q", mattermost, []string{"m4ttermostHookId"}},
	"googlechat":   {"/v1/spaces/AAQA/messages?key=Ch4tKey&token=Ch4tToken", "url: %q", googleChat, []string{"Ch4tKey", "Ch4tToken"}},
	"ntfy":         {"", "url: %q, topic: s3cret-topic, token: tk_Ntfy0Token", ntfy, []string{"tk_Ntfy0Token", "s3cret-topic"}},
	"alertmanager": {"/alertmanager/r3ceiver", "url: %q", alertmanager, []string{"r3ceiver"}},
}

// Providers returns the names of the providers, which are those of the presets.
func Providers() []string { return slices.Sorted(maps.Keys(providers)) }

// Secrets returns the secrets in a provider's settings.
func Secrets(name string) []string { return providers[name].secret }

// Server is a stand-in.
type Server struct {
	URL      string
	provider provider

	mu       sync.Mutex
	answer   func(r Request) *Answer
	requests []Request
}

// Start starts a provider's stand-in until the test ends.
func Start(t testing.TB, name string) *Server {
	t.Helper()
	p, ok := providers[name]
	if !ok {
		t.Fatalf("%s has no stand-in", name)
	}
	s := &Server{provider: p}
	h := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(h.Close)
	s.URL = h.URL + p.path
	return s
}

// Judge returns a provider's answer to a body.
func Judge(name string, body []byte) Answer {
	r := Request{Body: body, URI: "/?wait=true", Header: http.Header{"Authorization": {"Bearer tk_Ntfy0Token"}}}
	switch name {
	case "telegram":
		r.URI = "/bot" + botToken + "/sendMessage"
	case "ntfy":
		r.URI = "/"
	}
	return providers[name].serve(r)
}

// Config returns the settings of the kind http for this server, as YAML.
func (s *Server) Config(preset string) string {
	return "preset: " + preset + ", " + sprintf(s.provider.config, s.URL)
}

// SetAnswer sets what is answered instead; nil, or a nil Answer: the provider's own
// answer.
func (s *Server) SetAnswer(answer func(r Request) *Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Requests returns the requests in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	req := Request{Method: r.Method, URI: r.URL.RequestURI(), Header: r.Header, Body: body}
	s.mu.Lock()
	s.requests = append(s.requests, req)
	answer := s.answer
	s.mu.Unlock()
	a := s.provider.serve(req)
	if answer != nil {
		if own := answer(req); own != nil {
			a = *own
		}
	}
	for k, v := range a.Header {
		w.Header().Set(k, v)
	}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
}
