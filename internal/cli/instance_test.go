package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/cli/base"
)

// endless listens and answers every request with head, then with part until the
// client has gone or a test must fail. It returns its address.
func endless(t *testing.T, head, part string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				_, _ = conn.Write([]byte(head))
				flood := bytes.Repeat([]byte(part), 4096/len(part))
				for range 256 << 20 / len(flood) {
					if _, err := conn.Write(flood); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// TestForeignResponsesAreBounded: anything may listen on the port of
// http.listen.
func TestForeignResponsesAreBounded(t *testing.T) {
	for name, test := range map[string]struct{ head, part, want string }{
		"headers": {"HTTP/1.1 200 OK\r\n", "X: y\r\n", "exceeded 65536 bytes"},
		"1xx":     {"", "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n", "exceeded 65536 bytes"},
		"body":    {"HTTP/1.1 200 OK\r\n\r\n", "x", "the response is larger than 1.0 MiB: not a notifier"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := endless(t, test.head, test.part)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			h := checkHealth(t.Context(), addr, "/readyz")
			_, err := base.NewInstance(addr).Readiness(t.Context())
			runtime.ReadMemStats(&after)
			if h.Healthy || !strings.Contains(fmt.Sprint(h.Problems), test.want) {
				t.Errorf("health: %.300q, want %q", h.Problems, test.want)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("readiness: %v, want %q", err, test.want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
				t.Errorf("%d bytes were allocated", n)
			}
		})
	}
}

func TestHealthFollowsNoRedirectAndUnpacksNothing(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, _ = w.Write(make([]byte, 64<<20))
	_ = w.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/elsewhere":
			t.Error("a redirect was followed")
		case r.URL.Path == "/livez":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write(bomb.Bytes())
		}
	}))
	defer s.Close()
	addr := s.Listener.Addr().String()
	if h := checkHealth(t.Context(), addr, "/livez"); h.Healthy || !strings.Contains(h.Problems[0], "returned 302: not a notifier") {
		t.Errorf("redirected: %+v", h)
	}
	if h := checkHealth(t.Context(), addr, "/readyz"); h.Healthy || len(h.Problems[0]) > 5*200 {
		t.Errorf("packed: %d bytes", len(h.Problems[0]))
	}
}

// TestForeignResponseIsTruncated: what answers 503 may be a proxy with a page.
func TestForeignResponseIsTruncated(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>\x1b[2J"+strings.Repeat("e\u0301", 100_000), http.StatusServiceUnavailable)
	}))
	defer s.Close()
	config := filepath.Join(t.TempDir(), "notifier.yaml")
	if err := os.WriteFile(config, []byte("http: {listen: '"+s.Listener.Addr().String()+"'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, words bytes.Buffer
	code := Run(t.Context(), []string{"health", "-c", config}, base.Streams{In: strings.NewReader(""), Out: &out, Err: &words})
	if code != base.ExitFailed || words.Len() > 5*200 || strings.ContainsRune(words.String(), '\x1b') || !strings.Contains(words.String(), "…") {
		t.Errorf("%d, %d bytes: %.200q", code, words.Len(), words.String())
	}
}

func TestForeignMetricsAreBounded(t *testing.T) {
	i := base.NewInstance(endless(t, "HTTP/1.1 200 OK\r\n\r\n", "x 1\n"))
	if _, body, err := i.Get(t.Context(), "/metrics"); err == nil || len(body) > 0 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	big := bytes.Repeat([]byte("x 1\n"), 5<<20/4)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) }))
	defer s.Close()
	if _, body, err := base.NewInstance(s.Listener.Addr().String()).Get(t.Context(), "/metrics"); err != nil || !bytes.Equal(body, big) {
		t.Errorf("metrics of 5 MiB: %d bytes, %v", len(body), err)
	}
}
