package explain

import (
	"strings"
	"unicode"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/expr/trace"
	"github.com/algotrade/notifier/internal/term"
)

// mostLines is up to how many lines of a condition are shown whole. Of a longer one those
// without a caret are left out.
const mostLines = 4

// marked returns the source of a condition with carets under parts of it, in lines of a
// width.
func marked(source string, parts []trace.Part, width int) (lines []string) {
	runes := []rune(source)
	segments := split(runes, width)
	gap := false
	for _, s := range segments {
		text, carets := render(runes, s, parts)
		if len(segments) > mostLines && carets == "" {
			if !gap {
				lines = append(lines, "…")
			}
			gap = true
			continue
		}
		gap = false
		if lines = append(lines, text); carets != "" {
			lines = append(lines, carets)
		}
	}
	return lines
}

// segment is a part of a source that is one line.
type segment struct{ start, end int }

// split breaks a source at its line breaks, and where a line is too wide before an and or an
// or, else at a space.
func split(runes []rune, width int) (list []segment) {
	for start := 0; start < len(runes); {
		if unicode.IsSpace(runes[start]) {
			start++
			continue
		}
		end, space, join, used := start, start, start, 0
		for ; end < len(runes) && runes[end] != '\n'; end++ {
			if used += columns(runes[end]); used > width && space > start {
				if end = space; join > start {
					end = join
				}
				break
			}
			if runes[end] == ' ' {
				space = end
				if rest := string(runes[end:min(end+5, len(runes))]); strings.HasPrefix(rest, " and ") || strings.HasPrefix(rest, " or ") {
					join = end
				}
			}
		}
		last := end
		for last > start && unicode.IsSpace(runes[last-1]) {
			last--
		}
		list = append(list, segment{start, last})
		start = end
	}
	return list
}

func columns(r rune) int { return uniseg.StringWidth(term.Visible(string(r))) }

// render returns a segment's text, and the carets below it; empty: no part is in it.
func render(runes []rune, s segment, parts []trace.Part) (text, carets string) {
	var above, below strings.Builder
	for i := s.start; i < s.end; i++ {
		mark := " "
		for _, p := range parts {
			if i >= p.Start && i < p.End {
				mark = "^"
			}
		}
		above.WriteString(term.Visible(string(runes[i])))
		below.WriteString(strings.Repeat(mark, columns(runes[i])))
	}
	return above.String(), strings.TrimRight(below.String(), " ")
}
