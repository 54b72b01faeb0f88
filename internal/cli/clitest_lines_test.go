package cli

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines collects what a stream says and lets a test wait for it.
type lines struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newLines() *lines { return &lines{changed: make(chan struct{})} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wait waits until a line holds all of the texts, and returns it.
func (l *lines) wait(t testing.TB, within time.Duration, texts ...string) string {
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
