package alert

import (
	"fmt"
	"strings"
	"unicode"
)

// Visible shows what would otherwise be obeyed or hidden: control characters
// (line breaks among them), bidirectional overrides and zero-width characters
// come out as ⟨U+202E⟩. It is for one-line values from events.
func Visible(s string) string {
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&b, "⟨U+%04X⟩", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}
