// Package pagerdutytest is a stand-in for PagerDuty's Events API v2. It checks events
// as PagerDuty does and keeps the open alerts by dedup key.
package pagerdutytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"unicode/utf8"
)

// Key is the routing key that the server knows.
const Key = "R0utingKey0123456789abcdefABCDEF"

// Event is one accepted event.
type Event struct {
	Action   string `json:"event_action"`
	DedupKey string `json:"dedup_key"`
	Client   string
	Payload  struct {
		Summary, Source, Severity, Timestamp, Component, Group, Class string
		Details                                                       map[string]any `json:"custom_details"`
	}
	Links []struct{ Href, Text string }
	Body  []byte `json:"-"`
}

// Answer replaces the server's own response.
type Answer struct {
	Status int
	Header map[string]string
	Body   string
}

// Server is the stand-in.
type Server struct {
	URL string

	mu       sync.Mutex
	answer   func(body []byte) *Answer
	requests int
	events   []Event
	open     []string
}

// Start starts a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	h := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(h.Close)
	s.URL = h.URL + "/v2/enqueue"
	return s
}

// SetAnswer sets what is answered instead; nil, or a nil Answer: PagerDuty's own answer.
func (s *Server) SetAnswer(answer func(body []byte) *Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Events returns the accepted events.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Open returns the dedup keys of the open alerts.
func (s *Server) Open() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.open)
}

// Requests returns the number of requests.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	if s.answer != nil {
		if a := s.answer(body); a != nil {
			for k, v := range a.Header {
				w.Header().Set(k, v)
			}
			w.WriteHeader(a.Status)
			_, _ = io.WriteString(w, a.Body)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if r.Method != http.MethodPost || r.URL.Path != "/v2/enqueue" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	e, faults := parse(body)
	if len(faults) > 0 {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": faults})
		return
	}
	s.events = append(s.events, e)
	s.open = slices.DeleteFunc(s.open, func(key string) bool { return key == e.DedupKey })
	if e.Action == "trigger" {
		s.open = append(s.open, e.DedupKey)
	}
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "message": "Event processed", "dedup_key": e.DedupKey})
}

// parse returns an event, or what PagerDuty dislikes about it.
func parse(body []byte) (e Event, faults []string) {
	var key struct {
		RoutingKey string `json:"routing_key"`
	}
	if json.Unmarshal(body, &e) != nil || json.Unmarshal(body, &key) != nil {
		return e, []string{"JSON parse error"}
	}
	e.Body = body
	fault := func(is bool, format string, args ...any) {
		if is {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	fault(len(body) > 512<<10, "Event object is too large")
	fault(len(key.RoutingKey) != 32, "Length of 'routing_key' is incorrect (should be 32 characters)")
	fault(len(key.RoutingKey) == 32 && key.RoutingKey != Key, "Invalid routing key")
	fault(utf8.RuneCountInString(e.DedupKey) > 255, "'dedup_key' is too long")
	if e.Action == "resolve" {
		fault(e.DedupKey == "", "'dedup_key' is missing or blank")
		return e, faults
	}
	p := e.Payload
	fault(e.Action != "trigger", "'event_action' is not included in the list")
	fault(p.Summary == "", "'payload.summary' is missing or blank")
	fault(utf8.RuneCountInString(p.Summary) > 1024, "'payload.summary' is too long")
	fault(p.Source == "", "'payload.source' is missing or blank")
	fault(!slices.Contains([]string{"critical", "error", "warning", "info"}, p.Severity), "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')")
	return e, faults
}
