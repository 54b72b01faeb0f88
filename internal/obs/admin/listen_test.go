package admin

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAddressesAreChecked(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:9464": "", ":9464": "", "[::1]:0": "", "unix:/run/notifier/http.sock": "",
		"9464": "nor unix:/path", "": "nor unix:/path", "unix:http.sock": "must be absolute", "unix:": "must be absolute",
		"unix:/" + strings.Repeat("x", 107): "107 bytes at most",
	} {
		err := CheckListen(address)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestAUnixSocketIsServed to owner and group, where a killed process has left one
// too, and not where another is served.
func TestAUnixSocketIsServed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "http.sock")
	left, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = left.Close()
	level := new(slog.LevelVar)
	s := serve(t, Params{Listen: "unix:" + path, Level: level})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 || s.Addr() != "unix:"+path {
		t.Errorf("%v, %v, %s", info.Mode(), err, s.Addr())
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	req, _ := http.NewRequest(http.MethodPut, "http://any.name/log-level", strings.NewReader("debug"))
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || level.Level() != slog.LevelDebug {
		t.Errorf("%d %s, the level is %s", resp.StatusCode, body, level.Level())
	}
	p := Params{Listen: "unix:" + path, Logger: slog.Default(), Level: level}
	if _, err := New(p); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a second one: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Listen = "unix:" + file
	if _, err := New(p); err == nil || !strings.Contains(err.Error(), "the file exists and is not a socket") {
		t.Errorf("a file: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode()&fs.ModeSocket != 0 {
		t.Errorf("the file is gone: %v", err)
	}
}
