package admin

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/testkafka"
)

func contextWith(r *http.Request, local net.Addr) context.Context {
	return context.WithValue(r.Context(), http.LocalAddrContextKey, local)
}

// strangers connect n times, send this, and neither read nor close.
func strangers(t *testing.T, addr string, n int, send string) []net.Conn {
	t.Helper()
	var all []net.Conn
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, send) // it may be closed already
		all = append(all, c)
	}
	return all
}

// alive fails unless a probe is answered, on a connection of its own.
func alive(t *testing.T, addr string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, path := range []string{"/livez", "/readyz"} {
		resp, err := client.Get("http://" + addr + path)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", path, resp.StatusCode)
		}
	}
}

// large is a registry whose exposition is of about this many bytes, more than the
// buffers of a connection hold.
func large(bytes int) prometheus.Gatherer {
	reg := prometheus.NewRegistry()
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "large", Help: "x"}, []string{"l"})
	reg.MustRegister(v)
	const line = 128
	for i := range bytes / line {
		v.WithLabelValues(fmt.Sprintf("%0*d", line-len(`large{l=""} 0`)-1, i))
	}
	return reg
}

// TestClientsThatDoNotReadAreBounded: five hundred ask for everything and read
// nothing. The goroutines and the memory that they take are those of as many as
// are let in, and probes are answered all the while.
func TestClientsThatDoNotReadAreBounded(t *testing.T) {
	const size = 256 << 10
	addr := serve(t, Params{Listen: "127.0.0.1:0", Gatherer: large(size)}).Addr()
	alive(t, addr)
	goroutines := runtime.NumGoroutine()
	before := heap()
	var peak uint64
	for range 10 {
		strangers(t, addr, 50, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
		alive(t, addr)
		peak = max(peak, heap())
	}
	// A connection has a goroutine of its own, and one that is answered another.
	if n := runtime.NumGoroutine() - goroutines; n > 2*maxConnections+10 {
		t.Errorf("%d goroutines more", n)
	}
	// Of each that waits to be read the answer is held, in a buffer that grew by
	// doubling; and what is gathered at the moment.
	if most := uint64(maxConnections+4*maxScrapes) * 2 * size; peak > before+most {
		t.Errorf("the heap grew by %d MiB, more than %d MiB", (peak-before)>>20, most>>20)
	}
	alive(t, addr)
	// A scrape gets through as well, once those before it are gathered.
	testkafka.Eventually(t, 20*time.Second, "a scrape is answered", func() bool {
		resp, err := http.Get("http://" + addr + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		return err == nil && resp.StatusCode == http.StatusOK && n > size/2
	})
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestIdleConnectionsDoNotBlockProbes: some hundred connect and send nothing, or
// a part of a request, and take a bounded number of descriptors.
func TestIdleConnectionsDoNotBlockProbes(t *testing.T) {
	for name, send := range map[string]string{
		"nothing": "", "a part of a request": "GET /livez HTTP/1.1\r\nHost: x\r\n", "a request, and then nothing": "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		s := serve(t, Params{Listen: "127.0.0.1:0"})
		for range 3 {
			strangers(t, s.Addr(), 100, send)
			began := time.Now()
			alive(t, s.Addr())
			if took := time.Since(began); took > headerTimeout-time.Second {
				t.Errorf("%s: a probe has waited for %s, until strangers were timed out", name, took)
			}
		}
		s.listener.mu.Lock()
		open := len(s.listener.open)
		s.listener.mu.Unlock()
		if open > maxConnections {
			t.Errorf("%s: %d connections are open", name, open)
		}
	}
}

// queue is a listener whose connections a test makes.
type queue struct {
	net.Listener
	conns chan net.Conn
}

// Accept implements net.Listener.
func (q queue) Accept() (net.Conn, error) {
	c, ok := <-q.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

// Close implements net.Listener.
func (q queue) Close() error {
	close(q.conns)
	return nil
}

// TestFloodDoesNotEvictProbes before its request had time to arrive, nor while it
// is answered; and clients that do not read make room in turn.
func TestFloodDoesNotEvictProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue{conns: make(chan net.Conn, 1000)}
		l := newLimiter(q, 3)
		come := func(n int) {
			for range n {
				_, c := net.Pipe()
				q.conns <- c
			}
		}
		admitted := make(chan net.Conn, 1000)
		var accepting sync.WaitGroup
		accepting.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				admitted <- c
			}
		})
		defer accepting.Wait()
		defer l.Close()
		open := func(c *conn) bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return slices.Contains(l.open, c)
		}

		come(3)
		synctest.Wait()
		time.Sleep(time.Second) // strangers that wait are old by now
		for range 3 {
			<-admitted
		}
		come(1)
		probe := (<-admitted).(*conn)
		come(100)
		time.Sleep(waitingFor - time.Millisecond)
		if !open(probe) || len(admitted) != 2 {
			t.Errorf("after %s the probe is open: %v, and %d others are in", waitingFor-time.Millisecond, open(probe), len(admitted))
		}
		probe.used(true) // its request has come
		time.Sleep(servingFor - time.Millisecond)
		if !open(probe) {
			t.Error("it was closed while it was answered")
		}
		if n := len(admitted); n < 4 {
			t.Errorf("only %d of the flood were let in meanwhile", n)
		}
		_ = probe.Close()
		time.Sleep(time.Minute)
		if n := len(admitted); n != 100 {
			t.Errorf("%d of the flood were let in in the end", n)
		}
	})
}

// TestLeastRecentlyUsedConnectionIsEvicted first, but one that is being answered
// last.
func TestLeastRecentlyUsedConnectionIsEvicted(t *testing.T) {
	l := &limiter{most: 3}
	names := make(map[*conn]string)
	admit := func(name string) *conn {
		c := &conn{limiter: l, since: time.Now()}
		names[c] = name
		l.open = append(l.open, c)
		return c
	}
	a, b, _ := admit("a"), admit("b"), admit("c")
	a.used(true)
	b.used(true)
	b.used(false)
	now := time.Now()
	if _, wait := l.next(now); wait <= 0 || wait > waitingFor {
		t.Errorf("one that has just come may be closed after %s", wait)
	}
	for _, want := range []string{"c", "b", "a"} {
		i, wait := l.next(now.Add(servingFor))
		if got := names[l.evict(i)]; got != want || wait != 0 {
			t.Errorf("%s goes after %s, want %s now", got, wait, want)
		}
	}
}

// TestALongRequestIsRefused: headers of more than 8 KiB, which the server reads
// with 4 KiB of slack.
func TestALongRequestIsRefused(t *testing.T) {
	addr := serve(t, Params{Listen: "127.0.0.1:0"}).Addr()
	for size, want := range map[int]string{4 << 10: "200", 32 << 10: "431"} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", size))
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, want) {
			t.Errorf("%d bytes: %q, %v", size, line, err)
		}
		_ = conn.Close()
	}
}
