package base

import (
	"fmt"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/term"
)

var colours = map[check.Status]term.Colour{
	check.OK: term.Green, check.Warning: term.Yellow, check.Failed: term.Red, check.Skipped: term.Faint,
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
	if term.Coloured(g.IO.Out) {
		status = colours[r.Status].Paint(status)
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
