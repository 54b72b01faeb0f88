// Package term formats output for a terminal: widths, control characters in data,
// tables, plurals, durations, progress bars.
package term

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// descriptor is a file, or a wrapper of one.
type descriptor interface{ Fd() uintptr }

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(descriptor)
	return ok && term.IsTerminal(int(f.Fd()))
}

// The size of a stream that is not a terminal.
const defaultWidth, defaultHeight = 100, 24

// Size returns the columns and rows of a terminal. Fewer than 40 columns are ignored.
func Size(w io.Writer) (width, height int) {
	width, height = defaultWidth, defaultHeight
	f, ok := w.(descriptor)
	if !ok {
		return width, height
	}
	if w, h, err := term.GetSize(int(f.Fd())); err == nil {
		if w >= 40 {
			width = w
		}
		if h > 0 {
			height = h
		}
	}
	return width, height
}

// WriteMessage writes a message as a line; on a terminal it is wrapped, and its later
// lines are indented. Programs that read it get one line.
func WriteMessage(w io.Writer, text string) {
	if IsTerminal(w) {
		width, _ := Size(w)
		text = strings.Join(Wrap(text, width-2), "\n  ")
	}
	fmt.Fprintln(w, text)
}
