package base

import (
	"fmt"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
)

var colours = map[check.Status]term.Colour{
	check.OK: term.Green, check.Warning: term.Yellow, check.Failed: term.Red, check.Skipped: term.Faint,
}

const (
	statusWidth   = 7 // of the longest status
	messageColumn = 2 + statusWidth + 2
)

// WriteResults prints results: as one object per line, or below the title of
// their area, if it has one.
func (g *Globals) WriteResults(results []check.Result, title func(area string) string) error {
	if g.JSON() {
		return EncodeAll(g.IO.Out, results)
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

// writeResult prints status, subject and message, and below them the remedy.
func (g *Globals) writeResult(r check.Result) {
	status := fmt.Sprintf("%-*s", statusWidth, r.Status)
	if term.Coloured(g.IO.Out) {
		status = colours[r.Status].Paint(status)
	}
	width := max(g.Width()-messageColumn, 40)
	lines := term.Wrap(term.Visible(g.Suggest(r.Subject+": "+r.Message)), width)
	if r.Remedy != "" {
		lines = append(lines, term.Wrap("→ "+term.Visible(g.Suggest(r.Remedy)), width)...)
	}
	fmt.Fprintf(g.IO.Out, "  %s  %s\n", status, lines[0])
	for _, line := range lines[1:] {
		fmt.Fprintf(g.IO.Out, "%*s%s\n", messageColumn, "", line)
	}
}

// NoTitle is for results of one area.
func NoTitle(string) string { return "" }

// Failures returns an error with the number of failed checks; nil: none.
func Failures(results []check.Result) error {
	if n := check.Count(results, check.Failed); n > 0 {
		return Fail(ExitFailed, "%s failed", plural.Count(n, "check"))
	}
	return nil
}
