package slacktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// api is chat.postMessage, and with a ts chat.update.
func (s *Server) api(w http.ResponseWriter, r *http.Request) {
	a := s.begin(r)
	if s.override(w, r, a) {
		return
	}
	if err := r.ParseForm(); err != nil {
		refuse(w, "invalid_form_data")
		return
	}
	token := tokenOf(r)
	m := Message{
		Text: r.PostForm.Get("text"), Blocks: r.PostForm.Get("blocks"), Attachments: r.PostForm.Get("attachments"), TS: r.PostForm.Get("ts"),
		Thread: r.PostForm.Get("thread_ts"), Broadcast: r.PostForm.Get("reply_broadcast") == "true",
	}
	switch problem := s.check(m); {
	case a.Error != "":
		refuse(w, a.Error)
	case token == "":
		refuse(w, "not_authed")
	case token != Token:
		refuse(w, "invalid_auth")
	case r.PostForm.Get("channel") != Channel:
		refuse(w, "channel_not_found")
	case problem != "":
		refuse(w, problem)
	case s.tooFast():
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"ok":false,"error":"ratelimited"}`)
	case m.TS != "" && !s.edit(m):
		refuse(w, "message_not_found")
	case m.TS != "":
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "channel": Channel, "ts": m.TS, "text": m.Text})
	default:
		ts := s.keep(m)
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "channel": Channel, "ts": ts, "message": map[string]any{"text": m.Text}})
	}
}

func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	a := s.begin(r)
	if s.override(w, r, a) {
		return
	}
	var body struct {
		Text        string          `json:"text"`
		Blocks      json.RawMessage `json:"blocks"`
		Attachments json.RawMessage `json:"attachments"`
	}
	plain := func(status int, text string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	m := Message{Text: body.Text, Blocks: string(body.Blocks), Attachments: string(body.Attachments)}
	switch problem := s.check(m); {
	case a.Error != "":
		plain(http.StatusBadRequest, a.Error)
	case err != nil:
		plain(http.StatusBadRequest, "invalid_payload")
	case problem != "":
		plain(http.StatusBadRequest, problem)
	case s.tooFast():
		w.Header().Set("Retry-After", "1")
		plain(http.StatusTooManyRequests, `{"retry_after":1,"ok":false,"error":"rate_limited"}`)
	default:
		s.keep(m)
		plain(http.StatusOK, "ok")
	}
}

func (s *Server) tooFast() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.perSec && now.Sub(s.last) < time.Second {
		return true
	}
	s.last = now
	return false
}

// keep stores a message and returns its ts. A reply to a message that does not exist is
// posted to the channel without an error, as Slack does.
func (s *Server) keep(m Message) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.TS = fmt.Sprintf("%d.%06d", time.Now().Unix(), s.posted)
	s.posted++
	if !slices.ContainsFunc(s.messages, func(first Message) bool { return first.TS == m.Thread }) {
		m.Thread, m.Broadcast = "", false
	}
	s.messages = append(s.messages, m)
	close(s.changed)
	s.changed = make(chan struct{})
	return m.TS
}

// edit replaces a message; it reports whether there is one.
func (s *Server) edit(m Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.messages {
		if old := &s.messages[i]; old.TS == m.TS {
			old.Text, old.Blocks, old.Attachments, old.Edits = m.Text, m.Blocks, m.Attachments, old.Edits+1
			return true
		}
	}
	return false
}

// Delete deletes a message, as a person may.
func (s *Server) Delete(ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = slices.DeleteFunc(s.messages, func(m Message) bool { return m.TS == ts })
}

func (s *Server) check(m Message) string {
	s.mu.Lock()
	f := s.refuse
	s.mu.Unlock()
	if f != nil {
		if problem := f(m.Text); problem != "" {
			return problem
		}
	}
	return checkPayload(m)
}

// tokenOf returns a request's token, from the form or the header.
func tokenOf(r *http.Request) string {
	if token := r.FormValue("token"); token != "" {
		return token
	}
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func refuse(w http.ResponseWriter, name string) {
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": false, "error": name})
}
