package safefile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/safefile"
)

func names(t *testing.T, dir string) string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestReplaceIsAtomicAndPrivate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := safefile.Replace(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "old" {
		t.Errorf("content before Commit: %q", text)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Abandon()
	info, err := os.Stat(path)
	if text, _ := os.ReadFile(path); err != nil || string(text) != "new" || info.Mode().Perm() != 0o600 || names(t, dir) != "out" {
		t.Errorf("%q, %v, %s, %v", text, info.Mode(), names(t, dir), err)
	}
}

func TestAbandonKeepsOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	for _, old := range []string{"", "old"} {
		if old != "" {
			if err := os.WriteFile(path, []byte(old), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f, err := safefile.Replace(path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.WriteString("half")
		f.Abandon()
		if text, _ := os.ReadFile(path); string(text) != old || strings.Contains(names(t, dir), "part") {
			t.Errorf("%q is left, beside %s", text, names(t, dir))
		}
	}
}

// TestLinkIsNotFollowed: the target is not written, and a dangling link is
// not a free name.
func TestLinkIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	victim, planted := filepath.Join(dir, "victim"), filepath.Join(dir, "planted")
	for _, there := range []bool{true, false} {
		_ = os.Remove(planted)
		_ = os.Remove(victim)
		if there {
			if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(victim, planted); err != nil {
			t.Fatal(err)
		}
		if _, err := safefile.Replace(planted); !errors.Is(err, safefile.ErrNotRegular) {
			t.Errorf("Replace: %v", err)
		}
		if _, err := safefile.New(planted); !errors.Is(err, fs.ErrExist) {
			t.Errorf("New: %v", err)
		}
		if text, err := os.ReadFile(victim); there && string(text) != "precious" || !there && err == nil {
			t.Errorf("the target holds %q", text)
		}
	}
	if _, err := safefile.Replace("/dev/null"); !errors.Is(err, safefile.ErrNotRegular) {
		t.Errorf("a device: %v", err)
	}
}

func TestNewFileIsRemovedUnlessCommitted(t *testing.T) {
	dir := t.TempDir()
	for _, commit := range []bool{false, true} {
		f, err := safefile.New(filepath.Join(dir, "new"))
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if commit {
			want = "new"
			if err := f.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		f.Abandon()
		if got := names(t, dir); got != want {
			t.Errorf("%q is there, want %q", got, want)
		}
	}
}

func TestReadIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(path, make([]byte, 1025), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := safefile.Read(path, 1024); err == nil || !strings.Contains(err.Error(), "larger than 1.0 KiB") || !strings.Contains(err.Error(), path) {
		t.Errorf("one byte too many: %v", err)
	}
	if data, err := safefile.Read(path, 1025); err != nil || len(data) != 1025 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := safefile.Read("/dev/zero", 1024); err == nil {
		t.Error("an endless file is read")
	}
}
