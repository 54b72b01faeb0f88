package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const slackToken = "xoxb-0000-story"

// slackDesk stands in for Slack: a bot may post one message a second in a
// channel, with a burst of three, and edit its messages fifty times a minute.
// What is more is answered with 429 and Retry-After, as Slack does.
type slackDesk struct {
	url    string
	server *http.Server

	mu       sync.Mutex
	posts    bucket
	edits    bucket
	messages []slackMessage
	edited   int
	limited  int
	last     time.Time
}

// slackMessage is what a message said, and when: its first text, then its edits.
type slackMessage struct {
	ts    string
	texts []slackText
}

type slackText struct {
	at    time.Time
	title string // its first line
	text  string // all of it, blocks too
}

type bucket struct {
	rate, burst, tokens float64
	at                  time.Time
}

func (b *bucket) take(now time.Time) bool {
	if b.at.IsZero() {
		b.tokens = b.burst
	} else {
		b.tokens = min(b.burst, b.tokens+now.Sub(b.at).Seconds()*b.rate)
	}
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func newSlackDesk() (*slackDesk, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &slackDesk{url: "http://" + listener.Addr().String(), posts: bucket{rate: 1, burst: 3}, edits: bucket{rate: 50.0 / 60, burst: 10}, last: time.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/chat.postMessage", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, false) })
	mux.HandleFunc("POST /api/chat.update", func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, true) })
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

func (s *slackDesk) serve(w http.ResponseWriter, r *http.Request, edit bool) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if r.ParseForm() != nil { // slack-go sends forms
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.last = now
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+slackToken:
		fmt.Fprint(w, `{"ok":false,"error":"invalid_auth"}`)
		return
	case r.PostForm.Get("channel") != "C0DESK01":
		fmt.Fprint(w, `{"ok":false,"error":"channel_not_found"}`)
		return
	case edit && !s.edits.take(now) || !edit && !s.posts.take(now):
		s.limited++
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"ok":false,"error":"ratelimited"}`)
		return
	}
	said := r.PostForm.Get("text")
	title, _, _ := strings.Cut(said, "\n")
	text := slackText{at: now, title: title, text: said + r.PostForm.Get("blocks") + r.PostForm.Get("attachments")}
	if edit {
		for i := range s.messages {
			if s.messages[i].ts == r.PostForm.Get("ts") {
				s.messages[i].texts = append(s.messages[i].texts, text)
				s.edited++
				fmt.Fprintf(w, `{"ok":true,"channel":"C0DESK01","ts":%q}`, s.messages[i].ts)
				return
			}
		}
		fmt.Fprint(w, `{"ok":false,"error":"message_not_found"}`)
		return
	}
	ts := fmt.Sprintf("%d.%06d", now.Unix(), len(s.messages))
	s.messages = append(s.messages, slackMessage{ts: ts, texts: []slackText{text}})
	fmt.Fprintf(w, `{"ok":true,"channel":"C0DESK01","ts":%q}`, ts)
}

func (s *slackDesk) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

// idle returns for how long no request has come.
func (s *slackDesk) idle() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last)
}
