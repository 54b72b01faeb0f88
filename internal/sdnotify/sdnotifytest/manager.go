// Package sdnotifytest is the receiver of sd_notify(3) for tests.
package sdnotifytest

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Manager receives messages on $NOTIFY_SOCKET.
type Manager struct {
	t testing.TB

	mu       sync.Mutex
	messages [][]string
	changed  chan struct{} // closed with the next message
	seen     int           // messages returned by Wait
}

// Listen listens on a socket (abstract if the name begins with @) and sets NOTIFY_SOCKET until the
// test ends.
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

// Wait returns the next message with all of these assignments. … at the end of one matches any
// suffix.
func (m *Manager) Wait(assignments ...string) []string {
	m.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		m.mu.Lock()
		changed := m.changed
		for m.seen < len(m.messages) {
			message := m.messages[m.seen]
			m.seen++
			if hasAll(message, assignments) {
				m.mu.Unlock()
				return message
			}
		}
		m.mu.Unlock()
		select {
		case <-changed:
		case <-deadline.C:
			m.t.Fatalf("no message with %q among %q", assignments, m.Messages())
		}
	}
}

// Messages returns all messages so far.
func (m *Manager) Messages() [][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.messages)
}

// Count returns how many messages have an assignment.
func (m *Manager) Count(assignment string) int {
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
