package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// mode is how the sink answers.
type mode int

const (
	accept    mode = iota
	slow           // after 2 ms
	refuse         // 503
	scattered      // every 31st event is refused once, every 97th takes 20 ms
)

// sink is the receiver of the webhooks. It counts the posts of the events that
// it expects and ignores others.
type sink struct {
	url    string
	server *http.Server

	mu          sync.Mutex
	mode        mode
	active      int // requests in flight
	from        int // the first event that is expected
	sentAt      []time.Time
	got         []int // accepted posts of each event
	refused     map[int]bool
	newest      [keys]int // the newest event of each key
	latencies   []time.Duration
	first, last time.Time
	tally       tally
}

// tally is what the sink has counted.
type tally struct{ posts, unique, disorder int }

func newSink() (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{url: "http://" + listener.Addr().String() + "/hook"}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// expect starts to count from zero, for the n events from this one on.
func (s *sink) expect(m mode, from, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode, s.from, s.sentAt, s.got, s.refused = m, from, make([]time.Time, n), make([]int, n), make(map[int]bool)
	s.newest, s.latencies, s.first, s.last, s.tally = [keys]int{}, nil, time.Time{}, time.Time{}, tally{}
}

func (s *sink) set(m mode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = m
}

// sent notes that an event is produced now.
func (s *sink) sent(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := id - s.from; i >= 0 && i < len(s.sentAt) {
		s.sentAt[i] = time.Now()
	}
}

// has returns a condition: so many different events have been posted.
func (s *sink) has(unique int) func() bool {
	return func() bool { return s.count().unique >= unique }
}

func (s *sink) count() tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tally
}

func (s *sink) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active == 0
}

// perSecond returns the different events posted per second.
func (s *sink) perSecond() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(s.tally.unique) / s.last.Sub(s.first).Seconds()
}

// latency returns a quantile, in milliseconds, of the time from producing an
// event to its post.
func (s *sink) latency(q float64) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.latencies) == 0 {
		return 0
	}
	slices.Sort(s.latencies)
	return float64(s.latencies[int(q*float64(len(s.latencies)-1))].Microseconds()) / 1000
}

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed
	}
	ids := eventIDs(body)
	s.mu.Lock()
	s.active++
	status, delay := s.answer(ids)
	s.mu.Unlock()
	time.Sleep(delay)
	s.mu.Lock()
	if status == http.StatusOK {
		s.accept(ids)
	}
	s.active--
	s.mu.Unlock()
	w.WriteHeader(status)
}

// answer decides how a post of these events is answered, and after how long.
func (s *sink) answer(ids []int) (status int, delay time.Duration) {
	switch {
	case s.mode == refuse:
		return http.StatusServiceUnavailable, 0
	case s.mode == slow:
		return http.StatusOK, 2 * time.Millisecond
	case s.mode == scattered && len(ids) > 0:
		id := ids[0]
		if id%31 == 0 && !s.refused[id] {
			s.refused[id] = true
			return http.StatusServiceUnavailable, 0
		}
		if id%97 == 0 {
			return http.StatusOK, 20 * time.Millisecond
		}
	}
	return http.StatusOK, 0
}

// accept counts a post.
func (s *sink) accept(ids []int) {
	now := time.Now()
	for _, id := range ids {
		i := id - s.from
		if i < 0 || i >= len(s.got) {
			continue
		}
		if s.first.IsZero() {
			s.first = now
		}
		s.last = now
		s.tally.posts++
		if s.got[i]++; s.got[i] > 1 {
			continue
		}
		s.tally.unique++
		s.latencies = append(s.latencies, now.Sub(s.sentAt[i]))
		if id < s.newest[id%keys] {
			s.tally.disorder++
		}
		s.newest[id%keys] = max(id, s.newest[id%keys])
	}
}

// eventIDs returns the numbers in the event ids ("e123") of a post, each once.
func eventIDs(body []byte) []int {
	var ids []int
	for {
		_, after, ok := bytes.Cut(body, []byte(`event_id`))
		if !ok {
			return ids
		}
		body = bytes.TrimLeft(after, `\": `)
		if len(body) == 0 || body[0] != 'e' {
			continue
		}
		digits := body[1:]
		if end := bytes.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
			digits = digits[:end]
		}
		if id, err := strconv.Atoi(string(digits)); err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
}
