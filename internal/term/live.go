package term

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Colour is an escape sequence; empty: the default colour.
type Colour string

// The colours.
const (
	Green  Colour = "\x1b[32m"
	Yellow Colour = "\x1b[33m"
	Red    Colour = "\x1b[1;31m"
	Faint  Colour = "\x1b[2m"
)

// Paint returns a text in the colour.
func (c Colour) Paint(text string) string {
	if c == "" {
		return text
	}
	return string(c) + text + "\x1b[0m"
}

// Coloured reports whether to write colours to a stream: a terminal that Draws,
// unless NO_COLOR is set (https://no-color.org).
func Coloured(w io.Writer) bool { return Draws(w) && os.Getenv("NO_COLOR") == "" }

// Draws reports whether a stream is a terminal with cursor control.
func Draws(w io.Writer) bool { return IsTerminal(w) && os.Getenv("TERM") != "dumb" }

// Line is one line of a live screen.
type Line struct {
	Text   string
	Colour Colour
}

// Live redraws lines in place, on the terminal's alternate screen.
type Live struct {
	out           io.Writer
	colour        bool
	width, height int // of the last drawing
}

// NewLive switches to the alternate screen and hides the cursor.
func NewLive(out io.Writer) *Live {
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l")
	return &Live{out: out, colour: Coloured(out)}
}

// Close switches back.
func (l *Live) Close() { fmt.Fprint(l.out, "\x1b[?25h\x1b[?1049l") }

// Resized reports whether the terminal's size has changed since Draw.
func (l *Live) Resized() bool {
	width, height := Size(l.out)
	return width != l.width || height != l.height
}

// Draw draws the lines of frame in one write. Lines beyond the height are counted.
func (l *Live) Draw(frame func(width int) []Line) {
	l.width, l.height = Size(l.out)
	lines := frame(l.width)
	if room := l.height - 1; len(lines) > l.height {
		more := Line{Text: fmt.Sprintf("   … %d more lines", len(lines)-room)}
		lines = append(lines[:room:room], more)
	}
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		text := Cut(line.Text, l.width)
		if l.colour {
			text = line.Colour.Paint(text)
		}
		b.WriteString(text + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	_, _ = io.WriteString(l.out, b.String())
}
