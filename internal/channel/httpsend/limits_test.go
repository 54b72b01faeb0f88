package httpsend

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/egress"
	"github.com/algotrade/notifier/internal/outcome"
)

// most bounds the allocations for one response, the server's included;
// floodBytes bounds the response.
const most, floodBytes = 12 << 20, 64 << 20

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// raw runs a server that answers a request with head once and then part until
// the client disconnects.
func raw(t *testing.T, head, part string) string {
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
				flood := bytes.Repeat([]byte(part), max(1, 4096/len(part)))
				for sent := 0; sent < floodBytes; sent += len(flood) {
					if _, err := conn.Write(flood); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/"
}

// post makes one request.
func post(ctx context.Context, t *testing.T, c *Client, url string) (*Reply, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return c.Do(req)
}

func TestEndlessResponseUsesBoundedMemory(t *testing.T) {
	for name, test := range map[string]struct {
		head, part string
		want       outcome.Cause // "": a valid response
	}{
		"status line":      {"HTTP/1.1 200 ", "x", outcome.Reset},
		"header":           {"HTTP/1.1 200 OK\r\nX: ", "x", outcome.Reset},
		"headers":          {"HTTP/1.1 200 OK\r\n", "X-A: b\r\n", outcome.Reset},
		"continued header": {"HTTP/1.1 200 OK\r\nX: y\r\n", " z\r\n", outcome.Reset},
		"1xx":              {"", "HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n", outcome.Reset},
		"body":             {"HTTP/1.1 200 OK\r\n\r\n", "x", ""},
		"chunks":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", ""},
		"chunk extension":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x", outcome.Reset},
		"trailer":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", "X-A: b\r\n", outcome.Reset},
		"no HTTP":          {"", "x", outcome.Reset},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(1, nil, nil, nil)
			defer c.Close()
			url := raw(t, test.head, test.part)
			var reply *Reply
			var err error
			if n := allocated(func() { reply, err = post(t.Context(), t, c, url) }); n > most {
				t.Errorf("%d bytes were allocated", n)
			}
			if test.want != "" {
				if err == nil && reply.Status == 200 { // the header was complete
					err = reply.Cut
				}
				if e := outcome.Classify(err); err == nil || e.Cause != test.want {
					t.Errorf("%v, want %s", err, test.want)
				}
				return
			}
			if err != nil || reply.Cut != nil || reply.Status != 200 || len(reply.Body) != MaxReply {
				t.Errorf("%+v, %v", reply, err)
			}
		})
	}
}

// trusting returns roots with one certificate.
func trusting(t *testing.T, der []byte) *egress.Roots {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	roots, err := egress.OpenRoots(file)
	if err != nil {
		t.Fatal(err)
	}
	return roots
}

// encrypted serves HTTP/2.
func encrypted(t *testing.T, h http.HandlerFunc) (*Client, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	c := New(1, trusting(t, s.Certificate().Raw), nil, nil)
	t.Cleanup(c.Close)
	return c, s.URL
}

func TestEndlessHTTP2ResponseIsBounded(t *testing.T) {
	const part = 4096
	filler := bytes.Repeat([]byte("x"), part)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   outcome.Cause
	}{
		"headers": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 64 {
				w.Header().Set(fmt.Sprint("X-", i), string(filler))
			}
		}, outcome.Reset},
		"1xx": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", string(filler))
			for range 1000 {
				if r.Context().Err() != nil {
					return
				}
				w.WriteHeader(http.StatusEarlyHints)
			}
		}, outcome.Reset},
		"body": {func(w http.ResponseWriter, r *http.Request) {
			for sent := 0; sent < floodBytes && r.Context().Err() == nil; sent += part {
				if _, err := w.Write(filler); err != nil {
					return
				}
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			over2 := make(chan int, 1)
			c, url := encrypted(t, func(w http.ResponseWriter, r *http.Request) {
				over2 <- r.ProtoMajor
				test.answer(w, r)
			})
			var reply *Reply
			var err error
			if n := allocated(func() { reply, err = post(t.Context(), t, c, url) }); n > most {
				t.Errorf("%d bytes were allocated", n)
			}
			if v := <-over2; v != 2 {
				t.Fatalf("HTTP/%d", v)
			}
			if test.want != "" {
				if e := outcome.Classify(err); err == nil || e.Cause != test.want {
					t.Errorf("%v, want %s", err, test.want)
				}
			} else if err != nil || len(reply.Body) != MaxReply {
				t.Errorf("%+v, %v", reply, err)
			}
		})
	}
}

func TestGzipResponseIsNotDecompressed(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, _ = w.Write(make([]byte, floodBytes))
	_ = w.Close()
	asked := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Accept-Encoding")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	}))
	defer s.Close()
	c := New(1, nil, nil, nil)
	defer c.Close()
	var reply *Reply
	var err error
	if n := allocated(func() { reply, err = post(t.Context(), t, c, s.URL) }); n > most {
		t.Errorf("%d bytes were allocated", n)
	}
	if err != nil || !bytes.HasPrefix(bomb.Bytes(), reply.Body) || len(reply.Body) == 0 {
		t.Errorf("%d bytes, %v", len(reply.Body), err)
	}
	if got := <-asked; got != "" {
		t.Errorf("asks for %q", got)
	}
}

func TestSlowEndlessBodyEndsAtDeadline(t *testing.T) {
	for _, status := range []int{200, 503} {
		released := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("x"))
			w.(http.Flusher).Flush()
			<-released
		}))
		c := New(1, nil, nil, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // the status arrives before
		reply, err := post(ctx, t, c, s.URL)
		cancel()
		if err != nil || reply.Status != status || outcome.Classify(reply.Cut).Cause != outcome.Timeout {
			t.Errorf("%d: %+v, %v", status, reply, err)
		}
		close(released)
		c.Close()
		s.Close()
	}
}

func TestCertificateErrorIsBounded(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	for i := range 90 {
		template.DNSNames = append(template.DNSNames, fmt.Sprintf("%s%d.example.com", strings.Repeat("n", 50), i))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.StartTLS()
	defer s.Close()
	c := New(1, trusting(t, der), nil, nil)
	defer c.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	_, err = post(t.Context(), t, c, "https://localhost:"+port)
	if e := outcome.Classify(err); e.Cause != outcome.TLSFailed || len(e.Detail) > maxText+100 || !strings.Contains(e.Detail, "verification failed") {
		t.Errorf("%d bytes: %.400v", len(e.Detail), e)
	}
}
