package admin

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/secret"
)

// request makes a request of a server as if it came from this address to that one.
func request(s *Server, method, path, from string, to net.Addr, host string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader("debug"))
	r.RemoteAddr, r.Host = from, host
	r = r.WithContext(contextWith(r, to))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, r)
	return w
}

var (
	overTCP  = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5), Port: 9464}
	overPath = &net.UnixAddr{Net: "unix", Name: "/run/notifier.sock"}
)

// TestLogLevelNeedsLocalhostOrToken goes through who may ask.
func TestLogLevelNeedsLocalhostOrToken(t *testing.T) {
	const token = "a-token-of-32-bytes-0123456789ab"
	for name, c := range map[string]struct {
		token   string
		from    string
		to      net.Addr
		host    string
		headers []string
		want    int
	}{
		"this host":                             {"", "127.0.0.1:5000", overTCP, "127.0.0.1:9464", nil, 200},
		"this host, IPv6":                       {"", "[::1]:5000", overTCP, "[::1]:9464", nil, 200},
		"this host, IPv4 in IPv6":               {"", "[::ffff:127.0.0.1]:5000", overTCP, "localhost:9464", nil, 200},
		"this host, with a token configured":    {token, "127.0.0.1:5000", overTCP, "localhost", nil, 200},
		"a Unix socket":                         {"", "@", overPath, "anything", nil, 200},
		"another host":                          {"", "10.0.0.9:5000", overTCP, "10.0.0.5:9464", nil, 403},
		"another host with a guess":             {"", "10.0.0.9:5000", overTCP, "10.0.0.5:9464", []string{"Authorization", "Bearer "}, 403},
		"another host without the token":        {token, "10.0.0.9:5000", overTCP, "10.0.0.5:9464", nil, 401},
		"another host with the token":           {token, "10.0.0.9:5000", overTCP, "10.0.0.5:9464", []string{"Authorization", "Bearer " + token}, 200},
		"the scheme in small letters":           {token, "10.0.0.9:5000", overTCP, "10.0.0.5:9464", []string{"Authorization", "bearer " + token}, 200},
		"another scheme":                        {token, "10.0.0.9:5000", overTCP, "10.0.0.5:9464", []string{"Authorization", "Basic " + token}, 401},
		"a part of the token":                   {token, "10.0.0.9:5000", overTCP, "10.0.0.5:9464", []string{"Authorization", "Bearer " + token[1:]}, 401},
		"an empty token":                        {token, "10.0.0.9:5000", overTCP, "10.0.0.5:9464", []string{"Authorization", "Bearer "}, 401},
		"a proxy on this host":                  {"", "127.0.0.1:5000", overTCP, "localhost", []string{"X-Forwarded-For", "10.0.0.9"}, 403},
		"a proxy in front of the socket":        {"", "@", overPath, "x", []string{"Forwarded", "for=10.0.0.9"}, 403},
		"a proxy with the token":                {token, "127.0.0.1:5000", overTCP, "localhost", []string{"X-Forwarded-For", "10.0.0.9", "Authorization", "Bearer " + token}, 200},
		"a name that leads here":                {"", "127.0.0.1:5000", overTCP, "rebound.example.net:9464", nil, 421},
		"a name that leads here, and the token": {token, "127.0.0.1:5000", overTCP, "rebound.example.net", []string{"Authorization", "Bearer " + token}, 421},
		"another site's page":                   {"", "127.0.0.1:5000", overTCP, "127.0.0.1:9464", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a page of the same domain":             {"", "127.0.0.1:5000", overTCP, "127.0.0.1:9464", []string{"Sec-Fetch-Site", "same-site"}, 403},
		"another origin":                        {"", "127.0.0.1:5000", overTCP, "127.0.0.1:9464", []string{"Origin", "https://evil.example"}, 403},
		"a sandboxed page":                      {"", "127.0.0.1:5000", overTCP, "127.0.0.1:9464", []string{"Origin", "null"}, 403},
		"another site's page, with the token":   {token, "127.0.0.1:5000", overTCP, "127.0.0.1:9464", []string{"Origin", "https://evil.example", "Authorization", "Bearer " + token}, 403},
		"our own page":                          {"", "127.0.0.1:5000", overTCP, "127.0.0.1:9464", []string{"Origin", "http://127.0.0.1:9464", "Sec-Fetch-Site", "same-origin"}, 200},
		"a configured name":                     {"", "127.0.0.1:5000", overTCP, "Notifier.Example.Com.:443", nil, 200},
	} {
		var log bytes.Buffer
		level := new(slog.LevelVar)
		p := Params{Listen: "127.0.0.1:0", Hosts: []string{"notifier.example.com"}, Level: level, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		if c.token != "" {
			p.Token = secret.New(c.token)
		}
		s := serve(t, p)
		w := request(s, http.MethodPut, "/log-level", c.from, c.to, c.host, c.headers...)
		if w.Code != c.want || (level.Level() == slog.LevelDebug) != (c.want == 200) {
			t.Errorf("%s: %d, want %d; the level is %s: %s", name, w.Code, c.want, level.Level(), w.Body)
		}
		if (c.want == 200) == strings.Contains(log.String(), "refused") || strings.Contains(log.String()+w.Body.String(), token) {
			t.Errorf("%s: the log: %s", name, log.String())
		}
		if challenge := w.Header().Get("WWW-Authenticate"); (c.want == 401) != (challenge == `Bearer realm="notifier"`) {
			t.Errorf("%s: challenged with %q", name, challenge)
		}
	}
}

// TestScrapesWorkUnderAnyName, and what is for people only under ours.
func TestScrapesWorkUnderAnyName(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, Params{Listen: "localhost:0", Hosts: []string{"status.example.com"}})
	for host, known := range map[string]bool{
		"127.0.0.1:9464": true, "[::1]": true, "10.1.2.3": true, "localhost:1": true, "x.localhost": true, name + ":9464": true, strings.ToUpper(name): true,
		"status.example.com": true, "notifier.monitoring.svc.cluster.local:9464": false, "evil.example": false, "localhost.evil.example": false,
		"127.0.0.1.evil.example": false, "": false,
	} {
		for path, strict := range map[string]bool{"/": true, "/log-level": true, "/livez": false, "/readyz": false, "/metrics": false} {
			want := http.StatusOK
			if strict && !known {
				want = http.StatusMisdirectedRequest
			}
			if w := request(s, http.MethodGet, path, "10.0.0.9:5000", overTCP, host); w.Code != want {
				t.Errorf("%s under %q: %d, want %d", path, host, w.Code, want)
			}
		}
	}
}

// TestTokenIsReadAgain when its file has changed.
func TestTokenIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "token"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("the-first-token-0123")
	var token secret.String
	_ = token.UnmarshalText([]byte("file:token"))
	if err := token.Resolve(dir); err != nil {
		t.Fatal(err)
	}
	s := serve(t, Params{Listen: "127.0.0.1:0", Token: token})
	write("the-second-token-0123")
	for given, want := range map[string]int{"the-first-token-0123": 401, "the-second-token-0123": 200} {
		if w := request(s, http.MethodPut, "/log-level", "10.0.0.9:1", overTCP, "10.0.0.5", "Authorization", "Bearer "+given); w.Code != want {
			t.Errorf("%s: %d", given, w.Code)
		}
	}
}

// TestPageSaysThatReadyDaemonIsInTrouble, although its channels decide nothing.
func TestPageSaysThatReadyDaemonIsInTrouble(t *testing.T) {
	for trouble, ok := range map[string]bool{`<b class="bad">1 part in trouble</b>`: false, "": true} {
		s := serve(t, Params{Listen: "127.0.0.1:0", Ready: func() []Component {
			return []Component{{Name: "groups", OK: true, Decides: true}, {Name: "channel desk", OK: ok, State: "behind", Remedy: "move it"}}
		}})
		body := request(s, http.MethodGet, "/", "127.0.0.1:1", overTCP, "localhost").Body.String()
		if !strings.Contains(body, `<b class="ok">ready</b>`) || !strings.Contains(body, trouble) || strings.Contains(body, "in trouble") == ok || !strings.Contains(body, "<b>What to do:</b> move it") {
			t.Error(body)
		}
	}
}

// TestPageEscapesContent: its policy allows its own style alone, and what a
// component says is shown.
func TestPageEscapesContent(t *testing.T) {
	const hostile = "<script>x</script><style>y</style>\x1b[31m\u009b\u202e\u200b\U000e0041"
	s := serve(t, Params{Listen: "127.0.0.1:0", Ready: func() []Component {
		return []Component{{Name: hostile, State: hostile, Cause: hostile, Remedy: hostile}}
	}})
	w := request(s, http.MethodGet, "/", "127.0.0.1:1", overTCP, "localhost")
	body := w.Body.String()
	if strings.Contains(body, "<script") || strings.Count(body, "<style>") != 1 || strings.Count(html.UnescapeString(body), "⟨U+202E⟩⟨U+200B⟩⟨U+E0041⟩") != 4 {
		t.Errorf("%s", body)
	}
	if visible := alert.VisibleLines(body); visible != body {
		t.Errorf("a character is obeyed: %q", body)
	}
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(body)[1]
	sum := sha256.Sum256([]byte(style))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	for name, value := range map[string]string{
		"Content-Security-Policy": want, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		for _, path := range []string{"/", "/readyz", "/livez", "/metrics", "/log-level"} {
			if got := request(s, http.MethodGet, path, "127.0.0.1:1", overTCP, "localhost").Header().Get(name); got != value {
				t.Errorf("%s has %s: %q, want %q", path, name, got, value)
			}
		}
	}
	raw := request(s, http.MethodGet, "/readyz", "127.0.0.1:1", overTCP, "localhost").Body
	if alert.VisibleLines(raw.String()) != raw.String() {
		t.Errorf("a character is obeyed: %q", raw)
	}
	var doc struct{ Components []Component }
	if err := json.Unmarshal(raw.Bytes(), &doc); err != nil || doc.Components[0].Cause != hostile {
		t.Errorf("%v: %+v", err, doc)
	}
}
