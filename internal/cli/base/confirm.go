package base

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/term"
)

// Consent holds the flags of a command that shows a plan and asks for
// confirmation.
type Consent struct{ DryRun, Yes bool }

func (c *Consent) Flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.DryRun, "dry-run", false, "show what would be done, and do nothing")
	cmd.Flags().BoolVar(&c.Yes, "yes", false, "do not ask")
}

// Possible returns an error if Ask could not ask. Call it before making the plan.
func (c *Consent) Possible(g *Globals) error {
	if f, ok := g.IO.In.(*os.File); c.DryRun || c.Yes || ok && term.IsTerminal(f) {
		return nil
	}
	return Misused("cannot ask for confirmation, standard input is not a terminal: check with --dry-run, then use --yes")
}

// Ask asks a question, given without its question mark, and reports whether to
// continue. The answer no is an error; a dry run is not.
func (c *Consent) Ask(ctx context.Context, g *Globals, question string) (bool, error) {
	switch {
	case c.DryRun:
		fmt.Fprintln(g.IO.Err, "dry run: nothing was done")
		return false, nil
	case c.Yes:
		return true, nil
	}
	if err := c.Possible(g); err != nil {
		return false, err
	}
	fmt.Fprintf(g.IO.Err, "%s? [y/N] ", question)
	answer := make(chan string, 1) // a read from a terminal cannot be cancelled
	go func() { answer <- readAnswer(g.IO.In) }()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return true, nil
		}
	case <-ctx.Done():
		fmt.Fprintln(g.IO.Err)
	}
	return false, Fail(ExitFailed, "nothing was done")
}

func readAnswer(in io.Reader) string {
	line, _ := bufio.NewReader(in).ReadString('\n')
	return strings.ToLower(strings.TrimSpace(line))
}
