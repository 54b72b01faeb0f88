package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

// answer is what a command said.
type answer struct {
	code     int
	out, err string
}

// want checks the exit code and what was said.
func (a answer) want(t testing.TB, code int, texts ...string) answer {
	t.Helper()
	if a.code != code {
		t.Errorf("exit %d, want %d", a.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(a.out+a.err, text) {
			t.Errorf("it does not say %q", text)
		}
	}
	if t.Failed() {
		t.Logf("out:\n%s\nerr:\n%s", a.out, a.err)
	}
	return a
}

// objects reads the answer's JSON lines.
func (a answer) objects(t testing.TB) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(a.out) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %.200s", err, line)
		}
		list = append(list, o)
	}
	return list
}

// says checks that each text is said, wherever lines are broken.
func (a answer) says(t *testing.T, texts ...string) {
	t.Helper()
	out := unfolded(a.out)
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("it does not say %q:\n%s", text, a.out)
		}
	}
}

// unfolded is a text with its line breaks taken back.
func unfolded(s string) string { return strings.Join(strings.Fields(s), " ") }
