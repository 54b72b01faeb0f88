package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWarningsAreInTroubleshooting: an operator searches the page for a line of the log.
func TestWarningsAreInTroubleshooting(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	logged := regexp.MustCompile(`(?:[lL]og|[lL]ogger)\.(?:Warn|Error)\("([^"]+)"`)
	found := 0
	err = filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range logged.FindAllSubmatch(source, -1) {
			found++
			if head, _, _ := strings.Cut(string(m[1]), ":"); !strings.Contains(string(page), "`"+head) {
				t.Errorf("%s: docs/troubleshooting.md does not have %q", path, head)
			}
		}
		return nil
	})
	if err != nil || found < 40 {
		t.Errorf("%d messages found, %v", found, err)
	}
}
