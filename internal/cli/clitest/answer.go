// Package clitest has test helpers for the commands.
package clitest

import (
	"encoding/json"
	"strings"
	"testing"
)

// Answer is the result of a command.
type Answer struct {
	Code     int
	Out, Err string
}

// Want checks the exit code and that the output contains the texts.
func (a Answer) Want(t testing.TB, code int, texts ...string) Answer {
	t.Helper()
	if a.Code != code {
		t.Errorf("exit %d, want %d", a.Code, code)
	}
	for _, text := range texts {
		if !strings.Contains(a.Out+a.Err, text) {
			t.Errorf("the output lacks %q", text)
		}
	}
	if t.Failed() {
		t.Logf("out:\n%s\nerr:\n%s", a.Out, a.Err)
	}
	return a
}

// Objects parses the output as JSON lines.
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

// Contains checks that the output contains the texts, apart from line breaks.
func (a Answer) Contains(t *testing.T, texts ...string) {
	t.Helper()
	out := Unfolded(a.Out)
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("the output lacks %q:\n%s", text, a.Out)
		}
	}
}

// Unfolded returns a text without line breaks.
func Unfolded(s string) string { return strings.Join(strings.Fields(s), " ") }
