package term

import (
	"fmt"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/alert"
)

// Cut shortens a text to a display width, marked with an ellipsis.
func Cut(s string, width int) string {
	if uniseg.StringWidth(s) <= width {
		return s
	}
	var b strings.Builder
	used := 0
	g := uniseg.NewGraphemes(s)
	for g.Next() {
		if used+g.Width() > width-1 {
			break
		}
		used += g.Width()
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

// CutSource shortens topic/partition@offset: what is left out is of the topic.
func CutSource(s string, width int) string {
	slash := strings.LastIndexByte(s, '/')
	if uniseg.StringWidth(s) <= width || slash < 0 || len(s)-slash+1 >= width {
		return Cut(s, width)
	}
	return Cut(s[:slash], width-(len(s)-slash)) + s[slash:]
}

// cutMiddle shortens a text to a display width and keeps both ends of it, of the
// last one more.
func cutMiddle(s string, width int) string {
	if uniseg.StringWidth(s) <= width || width < 3 {
		return Cut(s, width)
	}
	var all []string
	for g := uniseg.NewGraphemes(s); g.Next(); {
		all = append(all, g.Str())
	}
	head, tail, used := 0, len(all), 1 // the ellipsis
	for head < tail {
		next := all[head]
		if tail > 0 && len(all)-tail <= head {
			next = all[tail-1]
		}
		if used += uniseg.StringWidth(next); used > width {
			break
		}
		if len(all)-tail <= head {
			tail--
		} else {
			head++
		}
	}
	return strings.Join(all[:head], "") + "…" + strings.Join(all[tail:], "")
}

// Visible keeps what a terminal would obey or hide in data from it; visibleLines
// is for texts of several lines.
func Visible(s string) string { return alert.Visible(s) }

func VisibleLines(s string) string { return alert.VisibleLines(s) }

func OrDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// Age is a duration in its largest unit: 12s, 5m, 3h, 2d.
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(max(d, 0).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Wrap breaks a text into lines of a width, between words. A longer word, a
// command to copy perhaps, is left whole.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case uniseg.StringWidth(line)+1+uniseg.StringWidth(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
