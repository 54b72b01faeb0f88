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

// Visible makes a one-line text from outside safe to print: control characters
// (including line breaks), bidirectional controls and invisible characters become
// ⟨U+202E⟩ and the like, invalid UTF-8 becomes U+FFFD.
func Visible(s string) string {
	if !hasHidden(s) && utf8.ValidString(s) {
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

// VisibleJSON returns a writer of JSON or log lines to w that writes non-ASCII
// characters that Visible would replace as \uXXXX, which decodes to the same text.
// A character must not be split over two calls of Write.
func VisibleJSON(w io.Writer) io.Writer { return escaper{w} }

type escaper struct{ w io.Writer }

// Write implements io.Writer.
func (e escaper) Write(p []byte) (int, error) {
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

func hasHidden(s string) bool {
	before := rune(-1)
	for _, r := range s {
		if hidden(r, before) {
			return true
		}
		before = r
	}
	return false
}

// hidden reports whether a character is invisible or changes how others are drawn:
// controls, line and paragraph separators, and Default_Ignorable_Code_Point of the
// Unicode Character Database. A presentation selector (U+FE0E, U+FE0F) after a
// symbol is not hidden.
func hidden(r, before rune) bool {
	switch {
	case r < 0x7f:
		return r < ' '
	case r == '\ufe0e' || r == '\ufe0f':
		return !hasPresentations(before)
	}
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r) || // visible
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// hasPresentations reports whether a presentation selector may follow a character:
// a symbol or the beginning of a keycap (Unicode Technical Standard 51).
func hasPresentations(r rune) bool {
	return unicode.In(r, unicode.So, unicode.Sm) || r == '#' || r == '*' || r >= '0' && r <= '9' || unicode.Is(unicode.Po, r) && r > 0x7f
}
