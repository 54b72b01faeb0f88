package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEveryCheckIsATest: the tests that docs/reliability.md names are there, in
// the package that it says, and every line of its tables names one.
func TestEveryCheckIsATest(t *testing.T) {
	root := filepath.Join("..", "..")
	doc, err := os.ReadFile(filepath.Join(root, "docs", "reliability.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(doc), "## Every check is a test")
	if !ok {
		t.Fatal("the section is gone")
	}
	have := make(map[string]bool) // package/Test
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		dir, _ := filepath.Abs(filepath.Dir(path))
		for _, m := range declared.FindAllSubmatch(code, -1) {
			have[filepath.Base(dir)+"/"+string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z]+/(?:Test|Fuzz)\\w+)`")
	rows := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| what must") {
			continue
		}
		rows++
		tests := named.FindAllStringSubmatch(line, -1)
		if len(tests) == 0 {
			t.Errorf("no test in %s", line)
		}
		for _, m := range tests {
			if !have[m[1]] {
				t.Errorf("there is no %s", m[1])
			}
		}
	}
	if rows < 60 {
		t.Errorf("only %d checks", rows)
	}
}
