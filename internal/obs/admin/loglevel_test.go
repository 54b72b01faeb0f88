package admin

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func put(t *testing.T, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestLogLevelChangesAtRunTime(t *testing.T) {
	level := new(slog.LevelVar)
	url := start(t, &state{}, level) + "/log-level"
	if code, body := get(t, url); code != 200 || body != "info\n" {
		t.Errorf("%d %q", code, body)
	}
	for _, c := range []struct {
		query, body string
		code        int
		answer      string
	}{
		{"", "debug", 200, "debug until "},
		{"", "WARN\n", 200, "warn until "},
		{"", "info", 200, "info\n"}, // the configured one needs no end
		{"?for=10m", "error", 200, "error until "},
		{"?for=1h", "debug", 200, "debug until "},
		{"", "loud", 400, "write debug, info, warn or error\n"},
		{"", "info+3", 400, "write debug, info, warn or error\n"},
		{"", "", 400, "write debug, info, warn or error\n"},
		{"?for=ten", "error", 400, "for is a time such as 10m, from 1s to 1h\n"},
		{"?for=0s", "error", 400, "for is a time such as 10m"},
		{"?for=1h1s", "error", 400, "for is a time such as 10m"},
		{"?for=", "error", 400, "for is a time such as 10m"},
	} {
		if code, body := put(t, url+c.query, c.body); code != c.code || !strings.HasPrefix(body, c.answer) {
			t.Errorf("%q%s: %d %q", c.body, c.query, code, body)
		}
	}
	if level.Level() != slog.LevelDebug {
		t.Errorf("level is %s: what was refused has changed it", level.Level())
	}
}

// TestConfiguredLevelReturns after an hour, or the time that was asked for, and
// the log says who changed it while that can be seen.
func TestConfiguredLevelReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := new(slog.LevelVar)
		level.Set(slog.LevelWarn)
		out := new(bytes.Buffer)
		l := newLevels(level, slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})))
		put := func(level, query string) string {
			w := httptest.NewRecorder()
			l.put(w, httptest.NewRequest(http.MethodPut, "/log-level"+query, strings.NewReader(level)))
			return w.Body.String()
		}
		in := func(d time.Duration, want slog.Level) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if level.Level() != want {
				t.Errorf("it is %s, want %s", level.Level(), want)
			}
		}
		if got := put("debug", "?for=10m"); got != "debug until 2000-01-01T00:10:00Z, then warn\n" {
			t.Errorf("%q", got)
		}
		in(9*time.Minute, slog.LevelDebug)
		if got := put("info", "?for=5m"); got != "info until 2000-01-01T00:14:00Z, then warn\n" { // not debug, which was for a time
			t.Errorf("%q", got)
		}
		in(4*time.Minute, slog.LevelInfo) // the first one's time is over
		in(time.Minute, slog.LevelWarn)
		put("debug", "") // an hour
		in(time.Hour-time.Second, slog.LevelDebug)
		in(time.Second, slog.LevelWarn)
		put("debug", "?for=1m")
		if got := put("warn", ""); got != "warn\n" {
			t.Errorf("%q", got)
		}
		in(time.Hour, slog.LevelWarn)
		put("error", "?for=1m")
		l.stop()
		for _, want := range []string{
			"from=warn to=debug by=192.0.2.1:1234 for=10m0s", "from=debug to=info by=192.0.2.1:1234 for=5m0s", `from=info to=warn by=expiry`,
			"for=1h0m0s", `from=debug to=warn by=expiry`, "from=debug to=warn by=192.0.2.1:1234\n", "from=warn to=error",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the log lacks %s:\n%s", want, out)
			}
		}
	})
}
