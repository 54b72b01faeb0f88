package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

type state struct {
	mu    sync.Mutex
	parts []Component
	live  error
}

func start(t *testing.T, s *state, level *slog.LevelVar) string {
	t.Helper()
	return "http://" + serve(t, Params{
		Listen: "127.0.0.1:0", Level: level,
		Live:  func() error { s.mu.Lock(); defer s.mu.Unlock(); return s.live },
		Ready: func() []Component { s.mu.Lock(); defer s.mu.Unlock(); return s.parts },
	}).Addr()
}

// serve runs a server until the test ends. What is not given is harmless.
func serve(t *testing.T, p Params) *Server {
	t.Helper()
	p.Version = "test"
	if p.Gatherer == nil {
		p.Gatherer = prometheus.NewRegistry()
	}
	if p.Level == nil {
		p.Level = new(slog.LevelVar)
	}
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	if p.Live == nil {
		p.Live = func() error { return nil }
	}
	if p.Ready == nil {
		p.Ready = func() []Component { return nil }
	}
	srv, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return srv
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestReadinessFollowsTheDecidingComponentsOnly(t *testing.T) {
	s := &state{parts: []Component{
		{Name: "group", OK: true, Decides: true},
		{Name: "channel desk", OK: false, Cause: "suspended"},
	}}
	url := start(t, s, new(slog.LevelVar))
	if code, _ := get(t, url+"/readyz"); code != 200 {
		t.Fatalf("a suspended channel made it %d", code)
	}
	s.mu.Lock()
	s.parts[0].OK, s.parts[0].Cause = false, "broker gone"
	s.mu.Unlock()
	code, body := get(t, url+"/readyz")
	var got struct {
		Ready      bool
		Components []Component
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if code != 503 || got.Ready || got.Components[0].Cause != "broker gone" {
		t.Fatalf("%d %s", code, body)
	}
	if _, body := get(t, url+"/"); !strings.Contains(body, "not ready") || !strings.Contains(body, "broker gone") {
		t.Fatalf("the page hides it: %s", body)
	}
}

func TestLivezReturnsReason(t *testing.T) {
	s := &state{live: errors.New("the poll loop has stopped")}
	url := start(t, s, new(slog.LevelVar))
	if code, body := get(t, url+"/livez"); code != 503 || !strings.Contains(body, "has stopped") {
		t.Fatalf("%d %s", code, body)
	}
}

func TestPortInUseIsExplained(t *testing.T) {
	url := start(t, &state{}, new(slog.LevelVar))
	_, err := New(Params{Listen: strings.TrimPrefix(url, "http://"), Logger: slog.Default(), Level: new(slog.LevelVar)})
	if err == nil || !strings.Contains(err.Error(), "change http.listen") {
		t.Fatal(err)
	}
}

func TestRequestWithHugeHeadersIsRefused(t *testing.T) {
	url := start(t, &state{}, new(slog.LevelVar))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X", strings.Repeat("x", 64<<10))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("it answers %d", resp.StatusCode)
	}
}
