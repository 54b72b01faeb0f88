package cli

import (
	"fmt"

	"github.com/algotrade/notifier/internal/check"
)

// paints are how verdicts look on a terminal.
var paints = map[check.Verdict]string{
	check.OK: "\x1b[32m", check.Warning: "\x1b[33m", check.Fault: "\x1b[1;31m", check.Skipped: "\x1b[2m",
}

const (
	verdictWidth = 7 // of the longest verdict
	textColumn   = 2 + verdictWidth + 2
)

// writeFindings prints findings for people, below a title unless that is empty:
// a verdict, the subject and what was found, and below it what to do.
func writeFindings(g *globals, title string, found []check.Finding) {
	colour := g.colour()
	if title != "" {
		fmt.Fprintln(g.io.out, visible(title))
	}
	width := max(g.width()-textColumn, 40)
	for _, f := range found {
		verdict := fmt.Sprintf("%-*s", verdictWidth, f.Verdict)
		if colour {
			verdict = paints[f.Verdict] + verdict + "\x1b[0m"
		}
		lines := folded(visible(f.Subject+": "+f.Text), width)
		if f.Do != "" {
			lines = append(lines, folded("→ "+visible(f.Do), width)...)
		}
		for i, line := range lines {
			if i == 0 {
				fmt.Fprintf(g.io.out, "  %s  %s\n", verdict, line)
				continue
			}
			fmt.Fprintf(g.io.out, "%*s%s\n", textColumn, "", line)
		}
	}
}

// encodeFindings prints findings for programs, one object a line; area is what
// the findings' area is called.
func encodeFindings(g *globals, area string, found []check.Finding) error {
	enc := newEncoder(g.io.out)
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

// of returns the findings of an area.
func of(all []check.Finding, area string) []check.Finding {
	var list []check.Finding
	for _, f := range all {
		if f.Area == area {
			list = append(list, f)
		}
	}
	return list
}
