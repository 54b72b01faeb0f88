// Package webhooktest is a receiver of webhooks for tests: it checks
// signatures, keeps what it got in order, and answers as it is told, oddly if
// need be.
package webhooktest

import (
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

// Answer is how one request is answered. The zero Answer is 200 with an empty
// body.
type Answer struct {
	Status int // 0: 200
	Header map[string]string
	Body   string
	// Hang reads the request and answers nothing until the client gives up.
	Hang bool
	// ResetBefore ends the connection before the request's body is read,
	// ResetAfter after it, and ResetInside in the middle of the answer.
	ResetBefore, ResetAfter, ResetInside bool
	// ByBody, where it is set, has the last word, once the body is read.
	ByBody func(body []byte) Answer
}

// Request is one request as it came.
type Request struct {
	Header http.Header
	Path   string
	Remote string // the connection's other end
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

// Start starts a receiver that ends with the test. With a secret every request
// has to be signed with it. answer is asked for each request, counted from
// zero; nil: 200 for all.
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

// Down ends the server: connections are refused from now on.
func (s *Server) Down() {
	if s.server != nil {
		s.server.CloseClientConnections()
		s.server.Close()
		s.server = nil
	}
}

// Up starts it again, at the same address.
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

// SetAnswer changes how requests are answered from now on; nil: 200 for all.
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

// reset ends the connection without the courtesies.
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

// Requests returns what came so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Wait waits until enough holds of the requests, or fails the test after
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
			s.t.Fatalf("after %s there were only %d requests", within, len(requests))
		}
	}
}
