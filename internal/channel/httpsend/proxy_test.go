package httpsend

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
)

// relay is a proxy that connects to one server, whatever it is asked for.
type relay struct {
	*httptest.Server
	status int // of its refusal; 0: none

	mu   sync.Mutex
	asks []string // method, host and credentials of each request
}

func startRelay(t *testing.T, to string, status int) *relay {
	t.Helper()
	r := &relay{status: status}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		r.asks = append(r.asks, strings.TrimSpace(q.Method+" "+q.Host+" "+q.Header.Get("Proxy-Authorization")))
		r.mu.Unlock()
		if r.status != 0 {
			w.WriteHeader(r.status)
			return
		}
		if q.Method != http.MethodConnect {
			httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to}).ServeHTTP(w, q)
			return
		}
		server, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		defer server.Close()
		client, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(server, client) }()
		_, _ = io.Copy(client, server)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *relay) asked() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.asks, ", ")
}

func through(t *testing.T, setting string) egress.Proxy {
	t.Helper()
	p, err := egress.NewProxy(setting)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// receiver is a server whose certificate is for example.com.
func receiver(t *testing.T, tls bool) (*httptest.Server, *egress.Roots) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method+" "+r.Host+r.URL.Path)
	}))
	t.Cleanup(s.Close)
	if !tls {
		s.Start()
		return s, nil
	}
	s.EnableHTTP2 = true
	s.StartTLS()
	return s, trusting(t, s.Certificate().Raw)
}

func TestRequestGoesThroughProxy(t *testing.T) {
	login := " Basic " + base64.StdEncoding.EncodeToString([]byte("ann:pass"))
	for target, want := range map[string]string{"https://example.com/hook": "CONNECT example.com:443" + login, "http://example.com/hook": "POST example.com" + login} {
		s, roots := receiver(t, strings.HasPrefix(target, "https:"))
		r := startRelay(t, s.Listener.Addr().String(), 0)
		c := New(1, roots, through(t, strings.Replace(r.URL, "http://", "http://ann:pass@", 1)), nil)
		defer c.Close()
		for range 2 { // the second on the same connection
			if reply, err := post(t.Context(), t, c, target); err != nil || reply.Status != 200 || string(reply.Body) != "POST example.com/hook" {
				t.Errorf("%s: %+v, %v", target, reply, err)
			}
		}
		if got := r.asked(); got != want && got != want+", "+want {
			t.Errorf("%s: the proxy was asked for %s, want %s", target, got, want)
		}
	}
}

func TestSOCKSProxyIsUsed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	greeting := make(chan byte, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		first := make([]byte, 1)
		_, _ = io.ReadFull(conn, first)
		greeting <- first[0]
	}()
	c := New(1, nil, through(t, "socks5://"+listener.Addr().String()), nil)
	defer c.Close()
	_, err = post(t.Context(), t, c, "https://example.com/hook")
	if e := outcome.Classify(err); e.Cause != outcome.Unreachable || !strings.HasPrefix(e.Detail, "proxy "+listener.Addr().String()) {
		t.Errorf("%v", err)
	}
	if version := <-greeting; version != 5 {
		t.Errorf("the greeting begins with %d", version)
	}
}

func TestProxyFailureNamesProxyAndItsSetting(t *testing.T) {
	s, roots := receiver(t, true)
	for name, tt := range map[string]struct {
		target string
		status int
		down   bool
		cause  outcome.Cause
		detail string
	}{
		"login":             {target: "https", status: 407, cause: outcome.Credentials, detail: "requires a login"},
		"login, forwarding": {target: "http", status: 407, cause: outcome.Credentials, detail: "requires a login"},
		"refused":           {target: "https", status: 403, cause: outcome.Unreachable, detail: "refused to connect with status 403"},
		"down":              {target: "https", down: true, cause: outcome.Unreachable, detail: "connection refused"},
		"down, forwarding":  {target: "http", down: true, cause: outcome.Unreachable, detail: "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRelay(t, s.Listener.Addr().String(), tt.status)
			if tt.down {
				r.Close()
			}
			setting := secret.New(strings.Replace(r.URL, "http://", "http://ann:pass-phrase-1@", 1))
			c := New(1, roots, through(t, setting.Reveal()), secret.NewRedactor(struct{ P secret.String }{setting}))
			defer c.Close()
			_, err := post(t.Context(), t, c, tt.target+"://example.com/hook")
			e := outcome.Classify(err)
			if want := "proxy " + r.Listener.Addr().String(); e.Cause != tt.cause || !strings.HasPrefix(e.Detail, want) || !strings.HasSuffix(e.Detail, tt.detail) {
				t.Errorf("%v, want %s: %s … %s", err, tt.cause, want, tt.detail)
			}
			for _, setting := range []string{"proxy:", "HTTPS_PROXY", "NO_PROXY"} {
				if !strings.Contains(e.Remedy(), setting) {
					t.Errorf("the remedy does not name %s: %s", setting, e.Remedy())
				}
			}
			if all := e.Detail + e.Remedy(); strings.Contains(all, "pass-phrase") || strings.Contains(all, "ann:") {
				t.Errorf("it shows the login: %s", all)
			}
		})
	}
}

func TestVerifyGoesThroughProxy(t *testing.T) {
	s, roots := receiver(t, true)
	r := startRelay(t, s.Listener.Addr().String(), 0)
	c := New(1, roots, through(t, r.URL), nil)
	defer c.Close()
	results := c.Verify(t.Context(), &url.URL{Scheme: "https", Host: "example.com"})
	if len(results) != 2 || results[0].Status != check.OK || !strings.Contains(results[0].Message, "the proxy "+r.Listener.Addr().String()) || results[1].Status == check.Failed {
		t.Errorf("%+v", results)
	}
	if got := r.asked(); got != "CONNECT example.com:443" {
		t.Errorf("the proxy was asked for %s", got)
	}
}

func TestMetadataServiceIsRefusedThroughProxy(t *testing.T) {
	r := startRelay(t, "127.0.0.1:1", 0)
	c := New(1, nil, through(t, r.URL), nil)
	defer c.Close()
	for _, target := range []string{"http://169.254.169.254/latest", "https://metadata.google.internal/", "http://2852039166/"} {
		if _, err := post(t.Context(), t, c, target); outcome.Classify(err).Cause != outcome.Misconfigured {
			t.Errorf("%s: %v", target, err)
		}
	}
	if got := r.asked(); got != "" {
		t.Errorf("the proxy was asked for %s", got)
	}
}
