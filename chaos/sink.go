package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// sink is the provider behind the webhooks. It answers 200 unless it is told
// to misbehave, and enters everything in the ledger.
type sink struct {
	url    string
	server *http.Server
	ledger atomic.Pointer[sharedLedger]
	mood   atomic.Pointer[mood]
}

// mood says how the next request to a channel is answered.
type mood func(channel string) answer

// answer is how one request is answered. The zero answer takes it.
type answer struct {
	status     int
	retryAfter int  // seconds
	hang       bool // answer nothing
	reset      bool // reset the connection once the body is read
	taken      bool // and the post was taken all the same
}

func newSink() (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{url: "http://" + listener.Addr().String()}
	s.server = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// set changes how requests are answered from now on; nil: as it should be.
func (s *sink) set(m mood) {
	if m == nil {
		s.mood.Store(nil)
		return
	}
	s.mood.Store(&m)
}

// post is what the ledger needs of a request.
type post struct {
	Alert struct {
		Title          string `json:"title"`
		Delivery       string `json:"delivery"`
		Replay         int    `json:"replay"`
		MayBeDuplicate bool   `json:"may_be_duplicate"`
	} `json:"alert"`
}

func (s *sink) serve(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender is gone
	}
	l := s.ledger.Load()
	if l == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	channel, id := strings.TrimPrefix(r.URL.Path, "/"), r.Header.Get("webhook-id")
	var p post
	if err := json.Unmarshal(body, &p); err != nil || p.Alert.Delivery != id {
		l.fault("%s: a post with the id %q whose body says %q (%v)", channel, id, p.Alert.Delivery, err)
		return
	}
	d := l.attempt(channel, p.Alert.Title, id, arrived)
	var a answer
	if m := s.mood.Load(); m != nil {
		a = (*m)(channel)
	}
	switch {
	case d == nil:
		w.WriteHeader(http.StatusBadRequest)
	case a.hang || a.reset:
		if a.taken && !d.Refused {
			l.took(d, arrived, p.Alert.MayBeDuplicate)
		}
		if a.reset {
			reset(w)
			return
		}
		<-r.Context().Done()
	case a.status != 0:
		if a.retryAfter > 0 {
			w.Header().Set("Retry-After", fmt.Sprint(a.retryAfter))
		}
		w.WriteHeader(a.status)
	case d.Refused && p.Alert.Replay == 0:
		w.WriteHeader(http.StatusUnprocessableEntity)
	default:
		l.took(d, arrived, p.Alert.MayBeDuplicate)
	}
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
