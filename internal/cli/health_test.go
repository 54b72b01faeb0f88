package cli

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/obs/admin"
)

// TestHealthChecksLocalDaemon asks the daemon's own server, alive and
// ready, and not.
func TestHealthChecksLocalDaemon(t *testing.T) {
	var stuck error
	components := []admin.Component{{Name: "groups", OK: true, Decides: true}, {Name: "channel desk", State: "suspended", Cause: "invalid_auth"}}
	server, err := admin.New(admin.Params{
		Listen: "127.0.0.1:0", Live: func() error { return stuck }, Ready: func() []admin.Component { return components },
		Gatherer: prometheus.NewRegistry(), Level: new(slog.LevelVar), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- server.Run(ctx) }()
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	// Rules that are not there and a secret that is not set do not matter.
	config := filepath.Join(t.TempDir(), "notifier.yaml")
	text := "rules: none.yaml\nhttp: {listen: '0.0.0.0:" + port + "'}\nchannels: {desk: {slack: {token: env:NOT_SET, channel: C1}}}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func(wantCode int, wantOut, wantErr string, args ...string) {
		t.Helper()
		var out, words bytes.Buffer
		code := Run(t.Context(), append([]string{"health", "-c", config}, args...), base.Streams{In: strings.NewReader(""), Out: &out, Err: &words})
		if code != wantCode || out.String() != wantOut || words.String() != wantErr {
			t.Errorf("health %v: %d\n%s%s", args, code, out.String(), words.String())
		}
	}
	url := "http://127.0.0.1:" + port
	ask(base.ExitDone, "alive\n", "")
	ask(base.ExitDone, "ready\n", "", "--ready")
	ask(base.ExitDone, `{"healthy":true,"url":"`+url+`/readyz","problems":[]}`+"\n", "", "--ready", "-o", "json")

	components[0].OK, components[0].Cause = false, "ingest: has not joined yet"
	ask(base.ExitDone, "alive\n", "")
	ask(base.ExitFailed, "", "notifier: not ready: groups: ingest: has not joined yet\n", "--ready")
	ask(base.ExitFailed, `{"healthy":false,"url":"`+url+`/readyz","problems":["groups: ingest: has not joined yet"]}`+"\n",
		"notifier: not ready: groups: ingest: has not joined yet\n", "--ready", "-o", "json")

	stuck = errors.New("ingest has not polled for 31s")
	ask(base.ExitFailed, "", "notifier: not alive: ingest has not polled for 31s\n")

	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	ask(base.ExitFailed, "", "notifier: not alive: connection refused on 0.0.0.0:"+port+": the notifier is not running, or is still starting (see its log)\n")
	t.Setenv("NOTIFIER_HTTP_LISTEN", "9464")
	ask(base.ExitFailed, "", "notifier: http.listen: \"9464\" is not host:port, such as 127.0.0.1:9464, nor unix:/path\n")
}

// TestHealthOverUnixSocket, as the other commands do that ask the daemon.
func TestHealthOverUnixSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "http.sock")
	config := filepath.Join(dir, "notifier.yaml")
	if err := os.WriteFile(config, []byte("http: {listen: 'unix:"+path+"'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := func() (int, string) {
		var out, words bytes.Buffer
		code := Run(t.Context(), []string{"health", "-c", config, "--ready"}, base.Streams{In: strings.NewReader(""), Out: &out, Err: &words})
		return code, out.String() + words.String()
	}
	if code, text := ask(); code != base.ExitFailed || !strings.Contains(text, "connection refused on unix:"+path) {
		t.Errorf("before: %d %s", code, text)
	}
	server, err := admin.New(admin.Params{
		Listen: "unix:" + path, Live: func() error { return nil }, Ready: func() []admin.Component { return []admin.Component{{Name: "groups", OK: true, Decides: true}} },
		Gatherer: prometheus.NewRegistry(), Level: new(slog.LevelVar), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- server.Run(ctx) }()
	if code, text := ask(); code != base.ExitDone || text != "ready\n" {
		t.Errorf("%d %s", code, text)
	}
	if now, err := base.NewInstance("unix:" + path).Readiness(ctx); err != nil || !now.Ready {
		t.Errorf("%+v, %v", now, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if code, text := ask(); code != base.ExitFailed || !strings.Contains(text, "connection refused on unix:"+path) {
		t.Errorf("after: %d %s", code, text)
	}
}

func TestReachableAddressOfListener(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:9464": "127.0.0.1:9464", "0.0.0.0:9464": "127.0.0.1:9464", ":9464": "127.0.0.1:9464",
		"[::]:9464": "127.0.0.1:9464", "[fd00::7]:80": "[fd00::7]:80", "10.0.0.7:80": "10.0.0.7:80", "localhost:9464": "localhost:9464",
	} {
		if got := base.Reachable(listen); got != want {
			t.Errorf("%s is reached at %s, want %s", listen, got, want)
		}
	}
}
