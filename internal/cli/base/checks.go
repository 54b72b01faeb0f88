package base

import (
	"fmt"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/term"
)

// paints are how statuses look on a terminal.
var paints = map[check.Status]string{
	check.OK: "\x1b[32m", check.Warning: "\x1b[33m", check.Failed: "\x1b[1;31m", check.Skipped: "\x1b[2m",
}

const (
	statusWidth   = 7 // of the longest status
	messageColumn = 2 + statusWidth + 2
)

// WriteResults prints results: for programs one object a line, for people each
// area below its title, which is left out where it is empty.
func (g *Globals) WriteResults(results []check.Result, title func(area string) string) error {
	if g.JSON() {
		enc := NewEncoder(g.IO.Out)
		for _, r := range results {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	for i, r := range results {
		if i == 0 || r.Area != results[i-1].Area {
			if text := title(r.Area); text != "" {
				fmt.Fprintln(g.IO.Out, term.Visible(text))
			}
		}
		g.writeResult(r)
	}
	return nil
}

// writeResult prints a status, the subject and the message, and below it the
// remedy.
func (g *Globals) writeResult(r check.Result) {
	status := fmt.Sprintf("%-*s", statusWidth, r.Status)
	if g.colour() {
		status = paints[r.Status] + status + "\x1b[0m"
	}
	width := max(g.Width()-messageColumn, 40)
	lines := term.Wrap(term.Visible(r.Subject+": "+r.Message), width)
	if r.Remedy != "" {
		lines = append(lines, term.Wrap("→ "+term.Visible(r.Remedy), width)...)
	}
	fmt.Fprintf(g.IO.Out, "  %s  %s\n", status, lines[0])
	for _, line := range lines[1:] {
		fmt.Fprintf(g.IO.Out, "%*s%s\n", messageColumn, "", line)
	}
}

// Failures is an error that counts the failed checks; nil: there are none.
func Failures(results []check.Result) error {
	if n := check.Count(results, check.Failed); n > 0 {
		return Fail(ExitFailed, "%s failed", term.Count(n, "check"))
	}
	return nil
}
