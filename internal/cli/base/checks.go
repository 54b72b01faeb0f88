package base

import (
	"fmt"

	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/term"
)

// paints are how verdicts look on a terminal.
var paints = map[check.Verdict]string{
	check.OK: "\x1b[32m", check.Warning: "\x1b[33m", check.Fault: "\x1b[1;31m", check.Skipped: "\x1b[2m",
}

const (
	verdictWidth = 7 // of the longest verdict
	textColumn   = 2 + verdictWidth + 2
)

// WriteFindings prints findings for people, below a title unless that is empty:
// a verdict, the subject and what was found, and below it what to do.
func WriteFindings(g *Globals, title string, found []check.Finding) {
	colour := g.colour()
	if title != "" {
		fmt.Fprintln(g.IO.Out, term.Visible(title))
	}
	width := max(g.Width()-textColumn, 40)
	for _, f := range found {
		verdict := fmt.Sprintf("%-*s", verdictWidth, f.Verdict)
		if colour {
			verdict = paints[f.Verdict] + verdict + "\x1b[0m"
		}
		lines := term.Wrap(term.Visible(f.Subject+": "+f.Text), width)
		if f.Do != "" {
			lines = append(lines, term.Wrap("→ "+term.Visible(f.Do), width)...)
		}
		for i, line := range lines {
			if i == 0 {
				fmt.Fprintf(g.IO.Out, "  %s  %s\n", verdict, line)
				continue
			}
			fmt.Fprintf(g.IO.Out, "%*s%s\n", textColumn, "", line)
		}
	}
}

// EncodeFindings prints findings for programs, one object a line; area is what
// the findings' area is called.
func EncodeFindings(g *Globals, area string, found []check.Finding) error {
	enc := NewEncoder(g.IO.Out)
	for _, f := range found {
		object := map[string]any{area: f.Area, "verdict": f.Verdict, "subject": f.Subject, "text": f.Text}
		if f.Do != "" {
			object["do"] = f.Do
		}
		if err := enc.Encode(object); err != nil {
			return err
		}
	}
	return nil
}

// Of returns the findings of an area.
func Of(all []check.Finding, area string) []check.Finding {
	var list []check.Finding
	for _, f := range all {
		if f.Area == area {
			list = append(list, f)
		}
	}
	return list
}
