package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// harass keeps so many hostile HTTP clients on an address until ctx ends. A
// client whose connection is closed comes back after a second.
func harass(ctx context.Context, addr string, clients int, seed uint64) {
	kinds := []func(context.Context, net.Conn){beIdle, sendSlowly, postSlowly, readNothing, overwhelm}
	var all sync.WaitGroup
	defer all.Wait()
	for i := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			for pause(ctx, time.Duration(random.Int64N(int64(2*time.Second)))) == nil {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
				if err != nil {
					continue
				}
				closed := context.AfterFunc(ctx, func() { _ = conn.Close() })
				kinds[i%len(kinds)](ctx, conn)
				closed()
				_ = conn.Close()
			}
		})
	}
}

// beIdle says nothing until the other end hangs up.
func beIdle(_ context.Context, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// sendSlowly sends a request of one byte a second.
func sendSlowly(ctx context.Context, conn net.Conn) {
	for _, c := range []byte("GET /readyz HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + strings.Repeat("s", 1000)) {
		if _, err := conn.Write([]byte{c}); err != nil || pause(ctx, time.Second) != nil {
			return
		}
	}
}

// postSlowly announces a megabyte and sends a byte a second of it.
func postSlowly(ctx context.Context, conn net.Conn) {
	_, err := io.WriteString(conn, "PUT /log-level HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
	for err == nil && pause(ctx, time.Second) == nil {
		_, err = conn.Write([]byte(" "))
	}
}

// readNothing asks for the largest page again and again and reads none.
func readNothing(ctx context.Context, conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096)
	}
	for range 200 {
		if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			return
		}
	}
	_ = pause(ctx, 30*time.Second)
}

// overwhelm sends headers without end, at 100 kB/s.
func overwhelm(ctx context.Context, conn net.Conn) {
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n")
	line := "X-More: " + strings.Repeat("m", 10_000) + "\r\n"
	for err == nil && pause(ctx, 100*time.Millisecond) == nil {
		_, err = io.WriteString(conn, line)
	}
}

// probes is a client that behaves, as an orchestrator's: it asks whether the
// daemon lives, and what it shows.
type probes struct {
	client *http.Client

	mu     sync.Mutex
	asked  int
	failed int
	slow   time.Duration // the slowest answer of /livez
	first  string        // what the first failure was
	shown  map[string][]string
}

// liveWithin is how long /livez may take to answer.
const liveWithin = time.Second

func newProbes() *probes {
	return &probes{
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: liveWithin},
		shown:  make(map[string][]string),
	}
}

// run asks /livez twice a second, and what may show a secret every five.
func (p *probes) run(ctx context.Context, d *daemon) {
	for n := 0; pause(ctx, 500*time.Millisecond) == nil; n++ {
		began := time.Now()
		err := p.live(ctx, d)
		took := time.Since(began)
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		p.asked++
		p.slow = max(p.slow, took)
		if err != nil {
			p.failed++
			if p.first == "" {
				p.first = fmt.Sprintf("%s: %v", began.Format("15:04:05"), err)
			}
		}
		p.mu.Unlock()
		if n%10 == 9 {
			p.keep(ctx, d)
		}
	}
}

func (p *probes) live(ctx context.Context, d *daemon) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.http+"/livez", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// keep remembers what the daemon shows, for the search for secrets.
func (p *probes) keep(ctx context.Context, d *daemon) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, path := range []string{"/", "/readyz", "/metrics"} {
		if _, body := d.get(ctx, path); body != "" {
			p.mu.Lock()
			p.shown[path] = append(p.shown[path], body)
			p.mu.Unlock()
		}
	}
}
