package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/algotrade/notifier/internal/cli/base"
)

var manDir = flag.String("man", "", "write the man pages into this `DIR`, dated by SOURCE_DATE_EPOCH")

// TestManPages writes a page for each command, as releases do. The program
// itself does not carry what writes them.
func TestManPages(t *testing.T) {
	dir := *manDir
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	seconds, _ := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	date := time.Unix(seconds, 0).UTC()
	root := newRoot(&base.Globals{})
	root.DisableAutoGenTag = true
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Date: &date, Source: "notifier", Manual: "AlgoTrade"}, dir); err != nil {
		t.Fatal(err)
	}
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if !c.IsAvailableCommand() && c != root {
			return
		}
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Error(err)
		}
		for _, want := range []string{".TH ", ".SH SYNOPSIS", ".SH DESCRIPTION", "--config"} {
			if !strings.Contains(strings.ReplaceAll(string(page), `\-`, "-"), want) {
				t.Errorf("the page of %s has no %q", c.CommandPath(), want)
			}
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(root)
}
