package alert

import ("strings";"unicode";"fmt")

// temp stub
func Visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) { fmt.Fprintf(&b, "\\u%04x", r) } else { b.WriteRune(r) }
	}
	return b.String()
}
