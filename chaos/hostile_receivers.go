package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// peers is the HTTP server behind all webhooks and both Slacks. What a request
// meets depends on its channel, the first element of its path.
type peers struct {
	url       string
	server    *http.Server
	account   *account
	recovered atomic.Bool // all receivers behave
	count     atomic.Int64
	echoes    atomic.Int64
}

func newPeers(a *account) (*peers, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &peers{url: "http://" + listener.Addr().String(), account: a}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

// placeIs finds the place of a record that a title shows.
var placeIs = regexp.MustCompile(`(trade-executions|portfolio-updates|forward-test-events)/(\d+)/(\d+)`)

// placeIn returns the first place in a text.
func placeIn(text string) (place, bool) {
	m := placeIs.FindStringSubmatch(text)
	if m == nil {
		return place{}, false
	}
	partition, err1 := strconv.ParseInt(m[2], 10, 32)
	offset, err2 := strconv.ParseInt(m[3], 10, 64)
	return place{m[1], int32(partition), offset}, err1 == nil && err2 == nil
}

// maxAlertJSON is the most that the alert of a post may have, in bytes: the
// alert itself is bounded to 32 KiB, and a post contains its key again as a text.
const maxAlertJSON = 64 << 10

// ServeHTTP implements http.Handler.
func (p *peers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	channel, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender is gone
	}
	n := p.count.Add(1)
	slack := channel == chChat || channel == chOddChat
	at, ok := p.read(channel, body, slack)
	if !ok && !strings.Contains(string(body), "forged") {
		p.account.fault("%s: a post that shows no place: %.200q", channel, body)
	}
	take := func() {
		if ok {
			p.account.accept(channel, at)
		}
	}
	if !p.recovered.Load() && p.harm(w, r, channel, body, n, take) {
		return
	}
	if channel == chPicky && !p.recovered.Load() && strings.Contains(string(body), "REFUSE") {
		http.Error(w, `{"error":"no such instrument"}`, http.StatusBadRequest)
		return
	}
	take()
	switch {
	case channel == chChat && strings.HasSuffix(rest, "chat.postMessage"):
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"ok":true,"channel":"C0123456789","ts":"%d.%06d"}`, time.Now().Unix(), n%1_000_000)
	case slack:
		fmt.Fprint(w, "ok")
	}
}

// read returns the place that a post shows.
func (p *peers) read(channel string, body []byte, slack bool) (place, bool) {
	if slack {
		text := string(body)
		if values, err := url.ParseQuery(text); err == nil {
			text = values.Get("text") + values.Get("blocks") + text
		}
		return placeIn(strings.ReplaceAll(text, `\/`, "/"))
	}
	var doc struct {
		Alert json.RawMessage `json:"alert"`
	}
	var shown struct{ Title string }
	if err := json.Unmarshal(body, &doc); err != nil {
		p.account.fault("%s: a post that is no JSON (%v)", channel, err)
		return place{}, false
	}
	if len(doc.Alert) > maxAlertJSON {
		p.account.fault("%s: an alert of more than %d KiB", channel, maxAlertJSON>>10)
	}
	_ = json.Unmarshal(doc.Alert, &shown)
	return placeIn(shown.Title)
}

// harm answers as the channel does while it is hostile; false: it behaves.
func (p *peers) harm(w http.ResponseWriter, r *http.Request, channel string, body []byte, n int64, take func()) bool {
	switch channel {
	case chHang:
		<-r.Context().Done()
	case chTrickle:
		take() // the status says so
		w.Header().Set("Content-Length", "1000000")
		for p.write(w, r, "x") {
			if !p.rest(r, 500*time.Millisecond) {
				break
			}
		}
	case chFlood:
		if n%2 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		} else {
			take() // the status says so, whatever follows
		}
		chunk := strings.Repeat("flood ", 10_000)
		for p.write(w, r, chunk) && p.rest(r, 10*time.Millisecond) {
		}
	case chHeaders:
		p.endlessHeaders(w)
	case chEcho:
		p.echo(w, r, body)
	case chOddChat:
		p.odd(w, n, take)
	default:
		return false
	}
	return true
}

// write writes and flushes, and reports whether the other end is still there.
func (p *peers) write(w http.ResponseWriter, r *http.Request, text string) bool {
	_, err := io.WriteString(w, text)
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	return err == nil && r.Context().Err() == nil && !p.recovered.Load()
}

// rest waits, unless the other end goes first.
func (p *peers) rest(r *http.Request, d time.Duration) bool {
	select {
	case <-r.Context().Done():
		return false
	case <-time.After(d):
		return true
	}
}

// endlessHeaders answers with header lines until the other end has had enough.
func (p *peers) endlessHeaders(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "HTTP/1.1 500 Internal Server Error\r\n")
	line := "X-Endless: " + strings.Repeat("h", 1000) + "\r\n"
	for ended := time.Now().Add(time.Minute); err == nil && time.Now().Before(ended) && !p.recovered.Load(); {
		_, err = io.WriteString(conn, strings.Repeat(line, 50))
		time.Sleep(10 * time.Millisecond) // a bounded rate: 5 MB/s
	}
}

// echo answers with the request, in several spellings and at a shifting place,
// so that a cut falls into every part of it.
func (p *peers) echo(w http.ResponseWriter, r *http.Request, body []byte) {
	shown := map[string]any{"url": r.URL.String(), "headers": r.Header, "signing": signingKey}
	text, _ := json.Marshal(shown)
	pad := strings.Repeat(".", rand.IntN(3000))
	switch p.echoes.Add(1) % 6 {
	case 0, 3:
		w.Header().Set("X-Echo", url.QueryEscape(r.Header.Get("Authorization")))
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, pad+string(text))
	case 1:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprintf(w, "%s\x1b[31m%s %s\u202e %q", pad, r.URL, r.Header.Get("Authorization"), r.Header.Get("Authorization"))
	case 2:
		w.Header().Set("Retry-After", r.Header.Get("Authorization"))
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write(body)
	case 4:
		w.WriteHeader(http.StatusUnauthorized) // what it says is shown while the channel is suspended
		_, _ = fmt.Fprintf(w, "%s not %s at %s, nor %q", pad[:len(pad)/20], r.Header.Get("Authorization"), r.URL, text)
	case 5:
		w.Header().Set("Location", r.URL.String()+"?auth="+url.QueryEscape(r.Header.Get("Authorization")))
		w.WriteHeader(http.StatusFound)
	}
}

// odd answers as Slack should not.
func (p *peers) odd(w http.ResponseWriter, n int64, take func()) {
	switch n % 8 {
	case 0:
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "<html><body>nginx "+slackHookID+"</body></html>")
	case 1:
		w.Header().Set("Retry-After", "-7")
		w.WriteHeader(http.StatusTooManyRequests)
	case 2:
		w.Header().Set("Retry-After", "soon\x7f")
		w.WriteHeader(http.StatusTooManyRequests)
	case 3:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"ok":false,"error":"`+strings.Repeat("fatal_error\u202e", 5000)+`"}`)
	case 4:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, strings.Repeat("[", 100_000))
	case 5:
		w.WriteHeader(http.StatusRequestTimeout)
	case 6:
		reset(w)
	case 7:
		take()
		_, _ = io.WriteString(w, "ok")
	}
}
