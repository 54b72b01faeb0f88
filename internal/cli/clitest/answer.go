package clitest

import (
	"encoding/json"
	"strings"
	"testing"
)

// Answer is what a command said.
type Answer struct {
	Code     int
	Out, Err string
}

// Want checks the exit code and what was said.
func (a Answer) Want(t testing.TB, code int, texts ...string) Answer {
	t.Helper()
	if a.Code != code {
		t.Errorf("exit %d, want %d", a.Code, code)
	}
	for _, text := range texts {
		if !strings.Contains(a.Out+a.Err, text) {
			t.Errorf("it does not say %q", text)
		}
	}
	if t.Failed() {
		t.Logf("out:\n%s\nerr:\n%s", a.Out, a.Err)
	}
	return a
}

// Objects reads the answer's JSON lines.
func (a Answer) Objects(t testing.TB) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(a.Out) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %.200s", err, line)
		}
		list = append(list, o)
	}
	return list
}

// Says checks that each text is said, wherever lines are broken.
func (a Answer) Says(t *testing.T, texts ...string) {
	t.Helper()
	out := Unfolded(a.Out)
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("it does not say %q:\n%s", text, a.Out)
		}
	}
}

// Unfolded is a text with its line breaks taken back.
func Unfolded(s string) string { return strings.Join(strings.Fields(s), " ") }
