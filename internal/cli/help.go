package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/term"
)

// Columns of help: without a terminal, and at most.
const (
	helpWidth = 80
	widest    = 100
)

// wrapHelp has the help of all commands fit the terminal.
func wrapHelp(g *base.Globals, root *cobra.Command) {
	print := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		width := helpWidth
		if term.IsTerminal(g.IO.Out) {
			width = min(g.Width(), widest)
		}
		cmd.Long = reflow(cmd.Long, width)
		wrapped := fmt.Sprintf("FlagUsagesWrapped %d", width)
		cmd.SetUsageTemplate(strings.ReplaceAll(cmd.UsageTemplate(), "FlagUsages", wrapped))
		print(cmd, args)
	})
}

// reflow wraps the paragraphs of a text. Lines that begin with a space stay.
func reflow(text string, width int) string {
	var lines []string
	paragraph := ""
	end := func() {
		if paragraph != "" {
			lines = append(lines, term.Wrap(paragraph, width)...)
			paragraph = ""
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || line[0] == ' ' {
			end()
			lines = append(lines, line)
			continue
		}
		paragraph = strings.TrimLeft(paragraph+" "+line, " ")
	}
	end()
	return strings.Join(lines, "\n")
}
