// Package sdnotifytest is the other end of sd_notify(3), for tests: a socket
// that hears what a service says, as systemd would.
package sdnotifytest

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Manager hears what is said on $NOTIFY_SOCKET.
type Manager struct {
	t testing.TB

	mu       sync.Mutex
	messages [][]string
	changed  chan struct{} // closed with the next message
	seen     int           // how many messages Wait has passed
}

// Listen listens on a socket with this name, an abstract one where it begins
// with @, and sets NOTIFY_SOCKET until the test ends.
func Listen(t testing.TB, name string) *Manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	m := &Manager{t: t, changed: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.read(conn)
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	t.Setenv("NOTIFY_SOCKET", name)
	t.Setenv("WATCHDOG_PID", "")
	return m
}

func (m *Manager) read(conn *net.UnixConn) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return // closed
		}
		m.mu.Lock()
		m.messages = append(m.messages, strings.Split(string(buffer[:n]), "\n"))
		close(m.changed)
		m.changed = make(chan struct{})
		m.mu.Unlock()
	}
}

// Wait returns the next message, behind the one that the last call returned,
// that has all of these assignments. One that ends with … is any that begins
// so.
func (m *Manager) Wait(assignments ...string) []string {
	m.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		m.mu.Lock()
		changed := m.changed
		for m.seen < len(m.messages) {
			said := m.messages[m.seen]
			m.seen++
			if hasAll(said, assignments) {
				m.mu.Unlock()
				return said
			}
		}
		m.mu.Unlock()
		select {
		case <-changed:
		case <-deadline.C:
			m.t.Fatalf("nobody says %q; what was said is %q", assignments, m.Messages())
		}
	}
}

// Messages returns everything that was said so far.
func (m *Manager) Messages() [][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.messages)
}

// Said returns how often an assignment was said so far.
func (m *Manager) Said(assignment string) int {
	n := 0
	for _, said := range m.Messages() {
		if hasAll(said, []string{assignment}) {
			n++
		}
	}
	return n
}

func hasAll(said, assignments []string) bool {
	for _, want := range assignments {
		prefix, open := strings.CutSuffix(want, "…")
		if !slices.ContainsFunc(said, func(s string) bool { return s == want || open && strings.HasPrefix(s, prefix) }) {
			return false
		}
	}
	return true
}
