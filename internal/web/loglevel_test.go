package web

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
		{"", "debug", 200, "debug\n"},
		{"", "WARN\n", 200, "warn\n"},
		{"?for=10m", "error", 200, "error until "},
		{"", "debug", 200, "debug\n"},
		{"", "loud", 400, "write debug, info, warn or error\n"},
		{"", "info+3", 400, "write debug, info, warn or error\n"},
		{"", "", 400, "write debug, info, warn or error\n"},
		{"?for=ten", "error", 400, "for is a time such as 10m, from 1s to 24h\n"},
		{"?for=0s", "error", 400, "for is a time such as 10m"},
		{"?for=25h", "error", 400, "for is a time such as 10m"},
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

// TestALevelForATimeGoesBackByItself, to what held for good, and says who
// changed it while that can be seen.
func TestALevelForATimeGoesBackByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := new(slog.LevelVar)
		out := new(bytes.Buffer)
		l := &levels{level: level, log: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))}
		put := func(level, query string) string {
			w := httptest.NewRecorder()
			l.put(w, httptest.NewRequest(http.MethodPut, "/log-level"+query, strings.NewReader(level)))
			return w.Body.String()
		}
		if got := put("debug", "?for=10m"); got != "debug until 2000-01-01T00:10:00Z, then info\n" {
			t.Errorf("%q", got)
		}
		time.Sleep(9 * time.Minute)
		if got := put("warn", "?for=5m"); got != "warn until 2000-01-01T00:14:00Z, then info\n" { // not debug, which held for a time
			t.Errorf("%q", got)
		}
		time.Sleep(4 * time.Minute)
		if level.Level() != slog.LevelWarn {
			t.Errorf("it is %s after the first one's time", level.Level())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if level.Level() != slog.LevelInfo {
			t.Errorf("it is %s after the second one's time", level.Level())
		}
		put("error", "?for=1m")
		put("warn", "") // for good: nothing goes back
		time.Sleep(time.Hour)
		if level.Level() != slog.LevelWarn {
			t.Errorf("it is %s", level.Level())
		}
		put("error", "?for=1m")
		l.stop()
		for _, want := range []string{
			"from=info to=debug by=192.0.2.1:1234 for=10m0s", "from=debug to=warn", `from=warn to=info by="itself, its time is over"`,
			"from=info to=error", "from=error to=warn by=192.0.2.1:1234\n", "from=warn to=error",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the log lacks %s:\n%s", want, out)
			}
		}
	})
}
