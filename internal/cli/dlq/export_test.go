package dlq

import (
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExportFollowsNoPlantedLink: neither at the file's name nor at the one that
// it has until it is whole, which nobody can foresee.
func TestExportFollowsNoPlantedLink(t *testing.T) {
	dir := t.TempDir()
	victim, file := filepath.Join(dir, "victim"), filepath.Join(dir, "export.jsonl")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file + ".part", file + ".tmp"} {
		if err := os.Symlink(victim, name); err != nil {
			t.Fatal(err)
		}
	}
	export := func(text string, fails error) error {
		return into(file, io.Discard, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return cmp.Or(err, fails)
		})
	}
	if err := export("one", nil); err != nil {
		t.Fatal(err)
	}
	interrupted := errors.New("interrupted")
	if err := export("half", interrupted); !errors.Is(err, interrupted) {
		t.Errorf("%v", err)
	}
	info, err := os.Lstat(file)
	if text, _ := os.ReadFile(file); err != nil || string(text) != "one" || info.Mode() != 0o600 {
		t.Errorf("the export is %q, %v, %v", text, info.Mode(), err)
	}
	if err := errors.Join(os.Remove(file), os.Symlink(victim, file)); err != nil {
		t.Fatal(err)
	}
	if err := export("two", nil); err == nil || !strings.HasSuffix(err.Error(), "export.jsonl: not a regular file: use another path, or redirect standard output") {
		t.Errorf("onto a link: %v", err)
	}
	if text, _ := os.ReadFile(victim); string(text) != "precious" {
		t.Errorf("what the links lead to holds %q", text)
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 4 {
		t.Errorf("left are %v, %v", list, err)
	}
}
