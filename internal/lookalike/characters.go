package lookalike

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// letters replaces each letter and digit of a text by one of its class. Other characters
// stay, so that a text keeps its form: ACC-1042 becomes QHT-7935. A letter beyond ASCII
// keeps its length in UTF-8.
func (r *replacer) letters(text string) string {
	next := r.source(text)
	var b strings.Builder
	for _, c := range text {
		n := rune(next())
		switch {
		case c >= '0' && c <= '9':
			b.WriteRune('0' + n%10)
		case c >= 'a' && c <= 'z':
			b.WriteRune('a' + n%26)
		case c >= 'A' && c <= 'Z':
			b.WriteRune('A' + n%26)
		case c > unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c)):
			b.WriteRune(foreign(c, n))
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// foreign returns a letter as long as c in UTF-8.
func foreign(c, n rune) rune {
	switch utf8.RuneLen(c) {
	case 2:
		if unicode.IsUpper(c) {
			return 'А' + n%32 // Cyrillic
		}
		return 'а' + n%32
	case 3:
		return '一' + n // CJK
	}
	return '\U00020000' + n
}

// digits replaces the digits of a number. The sign, the places before and behind the
// point, zeros at the front and behind the point at the end, and the exponent stay.
func (r *replacer) digits(text string) string {
	next := r.source(text)
	mantissa, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i:]
	}
	end := len(mantissa)
	if strings.Contains(mantissa, ".") {
		end = len(strings.TrimRight(mantissa, "0"))
	}
	out := []byte(mantissa)
	leading := true
	for i := range end {
		c := mantissa[i]
		switch n := next(); {
		case c < '0' || c > '9', leading && c == '0':
		case leading || i == end-1 && end < len(mantissa): // not zero: it would be another magnitude, or more zeros at the end
			out[i], leading = '1'+n%9, false
		default:
			out[i] = '0' + n%10
		}
	}
	return string(out) + exponent
}
