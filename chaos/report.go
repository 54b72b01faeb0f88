package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/ledger"
)

// line is a row of the report.
type line struct {
	row      *row
	scene    *scene
	verdict  *ledger.Verdict
	err      error
	duration time.Duration
}

func (l *line) ok() bool { return l.err == nil && l.verdict.OK() }

// duplicates is how many duplicates there are, and how many are allowed.
func (l *line) duplicates() string {
	v := l.verdict
	switch {
	case v.Share > 0:
		return fmt.Sprintf("%d (%.2f %% of %.0f %%)", v.Duplicates, 100*float64(v.Duplicates)/float64(max(1, v.Deliveries)), 100*v.Share)
	case v.Marked > 0 && v.Duplicates == v.Marked:
		return fmt.Sprintf("%d (marked)", v.Duplicates)
	case v.Disturbances > 0:
		return fmt.Sprintf("%d (%d of %d)", v.Duplicates, v.Worst, v.Bound)
	}
	return fmt.Sprintf("%d (0)", v.Duplicates)
}

func (l *line) recovered() string {
	switch d := l.scene.recover; {
	case d == 0:
		return "-"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
}

const form = "%-16s %8s %10s %6s  %5s %6s  %-20s %9s  %s\n"

func head(w io.Writer) {
	fmt.Fprintf(w, form, "ROW", "EVENTS", "DELIVERED", "DEAD", "LOST", "ORDER", "DUPLICATES (MAX)", "RECOVERED", "")
}

func (l *line) text(w io.Writer) {
	if l.err != nil {
		fmt.Fprintf(w, "%-16s FAILED: %v\n", l.row.name, l.err)
	}
	v := l.verdict
	if v == nil {
		return
	}
	word := "ok"
	if !v.OK() {
		word = "FAILED"
	}
	fmt.Fprintf(w, form, l.row.name, grouped(v.Events), grouped(v.Deliveries), grouped(v.DeadLetters), grouped(v.Lost), grouped(v.Disordered),
		l.duplicates(), l.recovered(), word)
	for _, n := range l.scene.notes {
		fmt.Fprintf(w, "    %s\n", n)
	}
	if lines := l.scene.errorLines(); len(lines) > 0 {
		fmt.Fprintf(w, "    logged errors: %s\n", strings.Join(lines, ", "))
	}
	for _, f := range v.Failures {
		fmt.Fprintf(w, "    %s\n", f)
	}
}

// markdown writes the table for the documentation.
func markdown(w io.Writer, lines []*line) {
	fmt.Fprintln(w, "| row | what is broken | events | deliveries | dead letters | lost | order broken | duplicates (allowed) | recovered after |")
	fmt.Fprintln(w, "|---|---|--:|--:|--:|--:|--:|---|--:|")
	for _, l := range lines {
		if l.verdict == nil {
			fmt.Fprintf(w, "| %s | %s | failed: %v |||||||\n", l.row.name, l.row.what, l.err)
			continue
		}
		v := l.verdict
		fmt.Fprintf(w, "| `%s` | %s | %s | %s | %s | %s | %s | %s | %s |\n", l.row.name, l.row.what, grouped(v.Events), grouped(v.Deliveries),
			grouped(v.DeadLetters), grouped(v.Lost), grouped(v.Disordered), l.duplicates(), l.recovered())
	}
	fmt.Fprintln(w)
	for _, l := range lines {
		if l.scene == nil {
			continue
		}
		for _, n := range l.scene.notes {
			fmt.Fprintf(w, "- `%s`: %s\n", l.row.name, n)
		}
	}
}

// grouped writes a number with commas.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
