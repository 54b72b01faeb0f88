// Package webhooktest is a webhook receiver for tests. It checks signatures,
// stores the requests in order and returns configured responses and failures.
package webhooktest

import (
	"cmp"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Answer is the response to one request. The zero Answer is 200 with an empty
// body.
type Answer struct {
	Status int // 0: 200
	Header map[string]string
	Body   string
	// Hang reads the request and sends no response until the client disconnects.
	Hang bool
	// ResetBefore closes the connection before the request's body is read,
	// ResetAfter after it, and ResetInside in the middle of the response.
	ResetBefore, ResetAfter, ResetInside bool
	// ByBody, if set, replaces the other fields once the body is read.
	ByBody func(body []byte) Answer
}

// Request is one received request.
type Request struct {
	Header http.Header
	Path   string
	Remote string // the client's address
	Body   []byte
	At     time.Time
}

// Title returns the alert's title.
func (r Request) Title() string {
	var doc struct{ Alert struct{ Title string } }
	_ = json.Unmarshal(r.Body, &doc)
	return doc.Alert.Title
}

// Server is a receiver.
type Server struct {
	URL    string
	t      testing.TB
	signer *standard.Webhook
	addr   string
	server *httptest.Server

	mu       sync.Mutex
	answer   func(n int, r Request) Answer
	requests []Request
	changed  chan struct{}
}

// Start starts a receiver until the test ends. With a secret, every request must
// be signed. answer is called for each request, counted from zero; nil: 200.
func Start(t testing.TB, secret string, answer func(n int, r Request) Answer) *Server {
	t.Helper()
	s := &Server{t: t, answer: answer, changed: make(chan struct{})}
	if secret != "" {
		signer, err := standard.NewWebhookRaw([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		s.signer = signer
	}
	s.addr = "127.0.0.1:0"
	s.Up()
	s.URL = s.server.URL
	t.Cleanup(s.Down)
	return s
}

// Down stops the server: connections are refused.
func (s *Server) Down() {
	if s.server != nil {
		s.server.CloseClientConnections()
		s.server.Close()
		s.server = nil
	}
}

// Up starts the server at the same address.
func (s *Server) Up() {
	s.t.Helper()
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	_ = s.server.Listener.Close()
	s.server.Listener = listener
	s.server.Start()
}

// SetAnswer changes the responses; nil: 200.
func (s *Server) SetAnswer(answer func(n int, r Request) Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	n, decide := len(s.requests), s.answer
	s.mu.Unlock()
	var a Answer
	req := Request{Header: r.Header, Path: r.URL.RequestURI(), Remote: r.RemoteAddr, At: time.Now()}
	if decide != nil {
		a = decide(n, req)
	}
	if a.ResetBefore {
		s.note(req)
		reset(w)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	req.Body = body
	if s.signer != nil {
		if err := s.signer.Verify(body, r.Header); err != nil {
			s.t.Errorf("request %d: %v", n, err)
		}
	}
	s.note(req)
	if a.ByBody != nil {
		a = a.ByBody(body)
	}
	switch {
	case a.ResetAfter:
		reset(w)
		return
	case a.Hang:
		<-r.Context().Done()
		return
	}
	for k, v := range a.Header {
		w.Header().Set(k, v)
	}
	if a.ResetInside {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(cmp.Or(a.Status, http.StatusOK))
		_, _ = w.Write([]byte("begin"))
		_ = http.NewResponseController(w).Flush()
		reset(w)
		return
	}
	if a.Status != 0 {
		w.WriteHeader(a.Status)
	}
	_, _ = io.WriteString(w, a.Body)
}

// reset closes the connection with a TCP reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func (s *Server) note(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	close(s.changed)
	s.changed = make(chan struct{})
}

// Requests returns the requests received so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Wait waits until enough returns true for the requests; it fails the test after
// within.
func (s *Server) Wait(within time.Duration, enough func([]Request) bool) []Request {
	s.t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		requests, changed := append([]Request(nil), s.requests...), s.changed
		s.mu.Unlock()
		if enough(requests) {
			return requests
		}
		select {
		case <-changed:
		case <-deadline.C:
			s.t.Fatalf("only %d requests after %s", len(requests), within)
		}
	}
}
