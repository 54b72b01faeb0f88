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

// Consent is how a command that changes much is allowed to: it shows its plan
// first, and continues when the answer is yes.
type Consent struct{ DryRun, Yes bool }

func (c *Consent) Flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.DryRun, "dry-run", false, "show what would be done, and do nothing")
	cmd.Flags().BoolVar(&c.Yes, "yes", false, "do not ask")
}

// Possible is an error where nobody can be asked. Call it before the work of
// making a plan.
func (c *Consent) Possible(g *Globals) error {
	if f, ok := g.IO.In.(*os.File); c.DryRun || c.Yes || ok && term.IsTerminal(f) {
		return nil
	}
	return Misused("nobody can be asked here, standard input is no terminal: look with --dry-run, then say --yes")
}

// Ask reports whether to go on. The question ends without a question mark. No
// for an answer is an error; a dry run is none, and does not go on.
func (c *Consent) Ask(ctx context.Context, g *Globals, question string) (bool, error) {
	switch {
	case c.DryRun:
		fmt.Fprintln(g.IO.Err, "a dry run: nothing was done")
		return false, nil
	case c.Yes:
		return true, nil
	}
	if err := c.Possible(g); err != nil {
		return false, err
	}
	fmt.Fprintf(g.IO.Err, "%s? [y/N] ", question)
	answer := make(chan string, 1) // whoever asked may be gone: a terminal cannot be made to stop reading
	go func() { answer <- readAnswer(g.IO.In) }()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return true, nil
		}
		return false, Fail(ExitFailed, "nothing was done")
	case <-ctx.Done():
		fmt.Fprintln(g.IO.Err)
		return false, Fail(ExitFailed, "nothing was done")
	}
}

func readAnswer(in io.Reader) string {
	line, _ := bufio.NewReader(in).ReadString('\n')
	return strings.ToLower(strings.TrimSpace(line))
}
