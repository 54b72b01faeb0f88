package console

import (
	"strings"

	"github.com/rivo/uniseg"
)

// wrap appends atoms to lines, separated by sep, as many to a line as fit. The
// first line has the width first, all others rest. An atom wider than a line
// is split between words, and a word wider than that anywhere.
func wrap(lines, atoms []string, sep string, first, rest int) []string {
	line := ""
	room := func() int {
		if len(lines) == 0 {
			return first
		}
		return rest
	}
	for _, atom := range atoms {
		if line != "" {
			if uniseg.StringWidth(line+sep+atom) <= room() {
				line += sep + atom
				continue
			}
			lines = append(lines, line)
		}
		line = atom
		for uniseg.StringWidth(line) > room() {
			head, tail := split(line, room())
			if i := strings.LastIndexByte(head, ' '); i > 0 && tail[0] != ' ' {
				head, tail = line[:i], line[i:]
			}
			lines, line = append(lines, head), strings.TrimPrefix(tail, " ")
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// split divides s after as many grapheme clusters as fit into width columns, at
// least one.
func split(s string, width int) (head, tail string) {
	used, end, state := 0, 0, -1
	for rest := s; rest != ""; {
		var cluster string
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used += w; used > width && end > 0 {
			break
		}
		end += len(cluster)
	}
	return s[:end], s[end:]
}

// cut truncates s to width columns, with an ellipsis.
func cut(s string, width int) string {
	if uniseg.StringWidth(s) <= width {
		return s
	}
	head, _ := split(s, width-1)
	return strings.TrimRight(head, " ") + "…"
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-uniseg.StringWidth(s)))
}

func padLeft(s string, width int) string {
	return strings.Repeat(" ", max(0, width-uniseg.StringWidth(s))) + s
}
