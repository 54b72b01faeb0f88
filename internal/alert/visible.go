package alert

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Visible shows what would otherwise be obeyed or hidden: control characters
// (line breaks among them), bidirectional controls, and characters that nothing
// is drawn for come out as ⟨U+202E⟩. It is for one-line values from outside.
// Invalid UTF-8 comes out as U+FFFD: a lone byte of it may be a control
// character to a terminal.
func Visible(s string) string {
	if at := firstHidden(s); at < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	before := rune(-1)
	for _, r := range s {
		if hidden(r, before) {
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
		} else {
			b.WriteRune(r)
		}
		before = r
	}
	return b.String()
}

// VisibleLines is Visible for texts of several lines.
func VisibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

// VisibleJSON returns a writer of JSON, or of log lines, that writes to w what
// Visible would show as the escapes \uXXXX: programs read the same text as
// without it. ASCII passes as it is, since encoders escape its control characters
// themselves. A character must not be split over two calls of Write.
func VisibleJSON(w io.Writer) io.Writer { return escaping{w} }

type escaping struct{ w io.Writer }

// Write implements io.Writer.
func (e escaping) Write(p []byte) (int, error) {
	if bytes.IndexFunc(p, func(r rune) bool { return r >= 0x7f }) < 0 {
		return e.w.Write(p)
	}
	b := bytes.NewBuffer(make([]byte, 0, len(p)+64))
	before := rune(-1)
	for i := 0; i < len(p); {
		r, n := utf8.DecodeRune(p[i:])
		switch {
		case r < 0x7f || !hidden(r, before):
			b.Write(p[i : i+n])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(b, `\u%04x`, r)
		}
		before = r
		i += n
	}
	if _, err := e.w.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

func firstHidden(s string) int {
	before := rune(-1)
	for i, r := range s {
		if hidden(r, before) {
			return i
		}
		before = r
	}
	return -1
}

// hidden reports whether nothing is drawn for a character, or whether it changes
// how others are drawn: controls, line and paragraph separators, and what the
// Unicode Character Database has as Default_Ignorable_Code_Point, bidirectional
// controls and the joiners of emoji among it. A selector for how a symbol is
// drawn (U+FE0E, U+FE0F) is fine behind one.
func hidden(r, before rune) bool {
	switch {
	case r < 0x7f:
		return r < ' '
	case r == '\ufe0e' || r == '\ufe0f':
		return !drawnTwoWays(before)
	}
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) || // those are drawn
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// drawnTwoWays reports whether a character is a symbol or the beginning of a
// keycap, which selectors belong to (Unicode Technical Standard 51).
func drawnTwoWays(r rune) bool {
	return unicode.In(r, unicode.So, unicode.Sm) || r == '#' || r == '*' || r >= '0' && r <= '9' || unicode.Is(unicode.Po, r) && r > 0x7f
}
