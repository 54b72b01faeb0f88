package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/progress"
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

// plan prints what a command is about to work on, one line per group.
func (g *globals) plan(groups []*dlq.Group) {
	const most = 20
	t := table{head: []string{"COUNT", "REASON", "CAUSE", "CHANNEL", "RULE", "FINGERPRINT"}, elastic: []int{4, 3, 2}}
	rest := 0
	for i, group := range groups {
		if i >= most && len(groups) > most+1 {
			rest += group.Count
			continue
		}
		t.add(humanize.Comma(int64(group.Count)), reasonOf(group), orDash(string(group.Cause)), orDash(group.Channel), orDash(group.Rule), group.Fingerprint)
	}
	t.write(g.io.err, g.width())
	if rest > 0 {
		fmt.Fprintf(g.io.err, "and %s in %s more\n", many(int64(rest), "dead letter"), count(len(groups)-most, "group"))
	}
}

// reasonOf is why a group failed, as a column of a table.
func reasonOf(group *dlq.Group) string {
	if group.Reason == "" {
		return string(dlq.Malformed)
	}
	return string(group.Reason)
}

// bar returns a progress bar on the terminal; none where there is no terminal.
func (g *globals) bar(doing, what string) *progress.Bar {
	if !isTerminal(g.io.err) {
		return nil
	}
	return progress.New(g.io.err, doing, what)
}
