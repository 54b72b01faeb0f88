package tracing

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// TestEndlessReplyUsesBoundedMemory: its headers and its body.
func TestEndlessReplyUsesBoundedMemory(t *testing.T) {
	spans := tracetest.SpanStubs{{Name: "s"}}.Snapshots()
	for name, test := range map[string]struct {
		head, part, want string // want: the error; empty: none
	}{
		"headers": {"HTTP/1.1 200 OK\r\n", "X-A: b\r\n", "exceeded 65536 bytes"},
		"1xx":     {"", "HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n", "exceeded 65536 bytes"},
		"body":    {"HTTP/1.1 200 OK\r\n\r\n", "x", "exceeded 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				_, _ = conn.Write([]byte(test.head))
				flood := bytes.Repeat([]byte(test.part), 4096/len(test.part))
				for range 64 << 20 / len(flood) {
					if _, err := conn.Write(flood); err != nil {
						return
					}
				}
			}()
			e, err := newExporter("http://"+listener.Addr().String()+"/v1/traces", newCounts(nil), slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			e.wire.next = once{e.wire.next, cancel}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err = e.otlp.ExportSpans(ctx, spans)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
				t.Errorf("%d bytes were allocated", n)
			}
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// once is a transport that cancels what follows its first request.
type once struct {
	http.RoundTripper
	cancel context.CancelFunc
}

func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.RoundTripper.RoundTrip(r)
	if err != nil {
		o.cancel()
	}
	return resp, err
}

func TestCollectorIsNotAskedToCompressReplies(t *testing.T) {
	var encoding string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { encoding = r.Header.Get("Accept-Encoding") }))
	defer s.Close()
	e, err := newExporter(s.URL, newCounts(nil), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.otlp.ExportSpans(t.Context(), tracetest.SpanStubs{{Name: "s"}}.Snapshots()); err != nil || encoding != "" {
		t.Errorf("accepts %q, %v", encoding, err)
	}
}
