package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// consent is how a command that changes much is allowed to: it shows its plan
// first, and goes on when it is told so.
type consent struct{ dryRun, yes bool }

func (c *consent) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "show what would be done, and do nothing")
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask")
}

// possible is an error where nobody can be asked. Call it before the work of
// making a plan.
func (c *consent) possible(g *globals) error {
	if f, ok := g.io.in.(*os.File); c.dryRun || c.yes || ok && isTerminal(f) {
		return nil
	}
	return misused("nobody can be asked here, standard input is no terminal: look with --dry-run, then say --yes")
}

// ask reports whether to go on. The question ends without a question mark. No
// for an answer is an error; a dry run is none, and does not go on.
func (c *consent) ask(ctx context.Context, g *globals, question string) (bool, error) {
	switch {
	case c.dryRun:
		fmt.Fprintln(g.io.err, "a dry run: nothing was done")
		return false, nil
	case c.yes:
		return true, nil
	}
	if err := c.possible(g); err != nil {
		return false, err
	}
	fmt.Fprintf(g.io.err, "%s? [y/N] ", question)
	answer := make(chan string, 1) // whoever asked may be gone: a terminal cannot be made to stop reading
	go func() { answer <- readAnswer(g.io.in) }()
	select {
	case a := <-answer:
		if a == "y" || a == "yes" {
			return true, nil
		}
		return false, fail(exitFailed, "nothing was done")
	case <-ctx.Done():
		fmt.Fprintln(g.io.err)
		return false, fail(exitFailed, "nothing was done")
	}
}

func readAnswer(in io.Reader) string {
	line, _ := bufio.NewReader(in).ReadString('\n')
	return strings.ToLower(strings.TrimSpace(line))
}
