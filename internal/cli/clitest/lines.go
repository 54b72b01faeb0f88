package clitest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// Lines collects the output of a stream, for tests to wait for.
type Lines struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func NewLines() *Lines { return &Lines{changed: make(chan struct{})} }

func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(p)
}

func (l *Lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Wait waits for a line that contains all texts, and returns it.
func (l *Lines) Wait(t testing.TB, within time.Duration, texts ...string) string {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
next:
	for {
		l.mu.Lock()
		all, changed := l.text.String(), l.changed
		l.mu.Unlock()
	line:
		for line := range strings.Lines(all) {
			for _, text := range texts {
				if !strings.Contains(line, text) {
					continue line
				}
			}
			return line
		}
		select {
		case <-changed:
			continue next
		case <-deadline.C:
			t.Fatalf("after %s no line holds %q:\n%s", within, texts, all)
		}
	}
}
