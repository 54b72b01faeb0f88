// Package slacktest is a fake Slack for tests: chat.postMessage, chat.update and one
// incoming webhook, with Slack's payload checks and rate limit, and with errors on
// request.
package slacktest

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Token and Channel are what the server accepts.
const (
	Token   = "xoxb-0000-slacktest"
	Channel = "C0DESK01"
)

// Answer replaces Slack's response. The zero Answer is Slack's own.
type Answer struct {
	Status int // 0: Slack's own response
	Header map[string]string
	Body   string
	// Error is an error name in the endpoint's form: JSON with status 200 for
	// the Web API, plain text for the webhook.
	Error                         string
	Hang, ResetBefore, ResetAfter bool
	// ByRequest, if set, replaces the other fields once the request is read.
	ByRequest func(r *http.Request, body string) Answer
}

// Request is one received request.
type Request struct {
	Header http.Header
	URL    string
	Body   string
}

// Message is one posted message.
type Message struct {
	Text string
	// Blocks and Attachments are JSON; empty: none.
	Blocks, Attachments string
	TS                  string
	Edits               int    // how often it was replaced
	Thread              string // ts of the message that it replies to; empty: none
	Broadcast           bool   // a reply that the channel shows too
}

// Bot is the owner of the token.
type Bot struct {
	Scopes string // in Slack's form: "chat:write,channels:read"
	Error  string // of auth.test; empty: ok
	// InfoError is the error of conversations.info. Archived and Outside describe
	// the channel: it is archived, and the bot is not a member.
	InfoError         string
	Archived, Outside bool
	Date              time.Time // of the responses; zero: now
}

// Server is the fake Slack.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	answer   func(n int) Answer
	refuse   func(text string) string
	requests int
	posted   int // messages so far
	received []Request
	messages []Message
	remotes  map[string]bool
	perSec   bool
	bot      Bot
	last     time.Time
	changed  chan struct{}
}

// Start starts a server until the test ends. answer is called for each request,
// counted from zero; nil: Slack's own responses.
func Start(t testing.TB, answer func(n int) Answer) *Server {
	t.Helper()
	s := &Server{answer: answer, remotes: make(map[string]bool), changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/chat.postMessage", s.api)
	mux.HandleFunc("POST /api/chat.update", s.api)
	mux.HandleFunc("POST /services/T0/B0/key", s.hook)
	mux.HandleFunc("POST /api/auth.test", s.authTest)
	mux.HandleFunc("POST /api/conversations.info", s.info)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.record(r)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// record stores a request.
func (s *Server) record(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, Request{Header: r.Header.Clone(), URL: r.URL.String(), Body: string(body)})
}

// Received returns the requests to all methods.
func (s *Server) Received() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.received...)
}

// API and Webhook are the URLs to configure.
func (s *Server) API() string     { return s.URL + "/api/" }
func (s *Server) Webhook() string { return s.URL + "/services/T0/B0/key" }

// SetAnswer changes the responses; nil: Slack's own.
func (s *Server) SetAnswer(answer func(n int) Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Refuse sets a function from a message's text to the error it is refused with;
// empty: accepted.
func (s *Server) Refuse(f func(text string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// SetBot changes the owner of the token.
func (s *Server) SetBot(b Bot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bot = b
}

// authorize sets the headers of a response. It reports whether the token is
// valid; if not, it has written the error.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) (Bot, bool) {
	s.mu.Lock()
	b := s.bot
	s.mu.Unlock()
	if b.Scopes != "" {
		w.Header().Set("X-OAuth-Scopes", b.Scopes)
	}
	if !b.Date.IsZero() {
		w.Header().Set("Date", b.Date.UTC().Format(http.TimeFormat))
	}
	switch token := tokenOf(r); {
	case b.Error != "":
		refuse(w, b.Error)
	case token != Token:
		refuse(w, "invalid_auth")
	default:
		return b, true
	}
	return b, false
}

func (s *Server) authTest(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.authorize(w, r); ok {
		_, _ = io.WriteString(w, `{"ok":true,"url":"https://algotrade.slack.com/","team":"AlgoTrade","user":"alerts","team_id":"T0","user_id":"U0","bot_id":"B0"}`)
	}
}

func (s *Server) info(w http.ResponseWriter, r *http.Request) {
	b, ok := s.authorize(w, r)
	switch {
	case !ok:
	case b.InfoError == "missing_scope":
		_, _ = io.WriteString(w, `{"ok":false,"error":"missing_scope","needed":"channels:read","provided":"chat:write"}`)
	case b.InfoError != "":
		refuse(w, b.InfoError)
	case r.FormValue("channel") != Channel:
		refuse(w, "channel_not_found")
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "channel": map[string]any{
			"id": Channel, "name": "desk", "is_archived": b.Archived, "is_member": !b.Outside,
		}})
	}
}

// Limit turns on Slack's rate limit of one message per second.
func (s *Server) Limit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.perSec = true
}

// Messages returns the posted messages.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// Requests returns the number of requests for messages, and of connections.
func (s *Server) Requests() (requests, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, len(s.remotes)
}

// Wait waits for n messages, or fails the test.
func (s *Server) Wait(t testing.TB, n int, within time.Duration) []Message {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		have, changed := append([]Message(nil), s.messages...), s.changed
		s.mu.Unlock()
		if len(have) >= n {
			return have
		}
		select {
		case <-changed:
		case <-deadline.C:
			t.Fatalf("after %s Slack had %d messages, want %d", within, len(have), n)
		}
	}
}

// begin counts a request and returns the answer for it.
func (s *Server) begin(r *http.Request) Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.requests
	s.requests++
	s.remotes[r.RemoteAddr] = true
	if s.answer == nil {
		return Answer{}
	}
	a := s.answer(n)
	if a.ByRequest != nil {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		a = a.ByRequest(r, string(body))
	}
	return a
}

// override writes a, unless it is Slack's own response, and reports whether it
// did.
func (s *Server) override(w http.ResponseWriter, r *http.Request, a Answer) bool {
	if a.ResetBefore {
		reset(w)
		return true
	}
	if a.ResetAfter || a.Hang {
		_, _ = io.Copy(io.Discard, r.Body)
		if a.Hang {
			<-r.Context().Done()
			return true
		}
		reset(w)
		return true
	}
	for k, v := range a.Header {
		w.Header().Set(k, v)
	}
	if a.Status != 0 || a.Body != "" {
		if a.Status != 0 {
			w.WriteHeader(a.Status)
		}
		_, _ = io.WriteString(w, a.Body)
		return true
	}
	return false
}

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
