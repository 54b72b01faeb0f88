package term

import (
	"fmt"
	"strings"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/alert"
)

// Cut shortens a text to a display width, with an ellipsis.
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

// CutSource shortens the topic of topic/partition@offset.
func CutSource(s string, width int) string {
	slash := strings.LastIndexByte(s, '/')
	if uniseg.StringWidth(s) <= width || slash < 0 || len(s)-slash+1 >= width {
		return Cut(s, width)
	}
	return Cut(s[:slash], width-(len(s)-slash)) + s[slash:]
}

// cutMiddle shortens a text to a display width and keeps both ends.
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

// Visible escapes control and invisible characters; VisibleLines keeps line breaks.
func Visible(s string) string { return alert.Visible(s) }

func VisibleLines(s string) string { return alert.VisibleLines(s) }

func OrDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// Age formats a duration in its largest unit: 12s, 5m, 3h, 2d.
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

// Wrap breaks a text at spaces into lines of a width. A longer word is a line.
func Wrap(text string, width int) []string {
	var lines []string
	line, used := "", -1
	for word := range strings.SplitSeq(text, " ") {
		w := uniseg.StringWidth(word)
		switch {
		case used < 0:
			line, used = word, w
		case used > 0 && used+1+w > width:
			lines = append(lines, line)
			line, used = word, w
		default:
			line, used = line+" "+word, used+1+w
		}
	}
	return append(lines, line)
}
