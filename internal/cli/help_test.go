package cli

import (
	"strings"
	"testing"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
)

// TestHelpFitsTerminals of 80 columns, but for commands to copy.
func TestHelpFitsTerminals(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		a := local(t, append(strings.Fields(c.CommandPath())[1:], "--help")...).Want(t, base.ExitDone)
		for line := range strings.Lines(a.Out) {
			if n := uniseg.StringWidth(strings.TrimSuffix(line, "\n")); n > helpWidth && !strings.HasPrefix(line, "  notifier ") {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		for _, sub := range c.Commands() {
			if sub.Name() != "completion" { // cobra's own
				check(sub)
			}
		}
	}
	check(newRoot(&base.Globals{}))
}

func TestReflowKeepsIndentedLines(t *testing.T) {
	got := reflow("one two three\nfour\n\n  a command of some length\nfive six", 10)
	if want := "one two\nthree four\n\n  a command of some length\nfive six"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
