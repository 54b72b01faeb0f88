package event

import (
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/algotrade/notifier/internal/outcome"
)

// string reads a string, which shares the data's memory unless it has an escape.
func (p *parser) string(keep bool) string {
	p.pos++ // the quote
	start := p.pos
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '"':
			s := share(p.data[start:p.pos])
			p.pos++
			return s
		case c == '\\':
			return p.escaped(start, keep)
		case c < 0x20:
			p.fail(outcome.NotJSON, "a control character in a string")
			return ""
		}
		p.pos++
	}
	p.fail(outcome.NotJSON, "")
	return ""
}

func (p *parser) escaped(start int, keep bool) string {
	var b []byte
	if keep {
		b = append(b, p.data[start:p.pos]...)
	}
	for p.pos < len(p.data) {
		c := p.data[p.pos]
		switch {
		case c == '"':
			p.pos++
			return share(b)
		case c < 0x20:
			p.fail(outcome.NotJSON, "a control character in a string")
			return ""
		case c != '\\':
			if keep {
				b = append(b, c)
			}
			p.pos++
			continue
		}
		r, ok := p.escape()
		if !ok {
			return ""
		}
		if keep {
			b = utf8.AppendRune(b, r)
		}
	}
	p.fail(outcome.NotJSON, "")
	return ""
}

// escape reads one escape sequence. A lone surrogate becomes U+FFFD.
func (p *parser) escape() (rune, bool) {
	p.pos++ // the backslash
	if p.pos >= len(p.data) {
		p.fail(outcome.NotJSON, "")
		return 0, false
	}
	c := p.data[p.pos]
	p.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		r, ok := p.hex()
		if !ok || !utf16.IsSurrogate(r) {
			return r, ok
		}
		if p.pos+1 < len(p.data) && p.data[p.pos] == '\\' && p.data[p.pos+1] == 'u' {
			mark := p.pos
			p.pos += 2
			low, ok := p.hex()
			if !ok {
				return 0, false
			}
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return both, true
			}
			p.pos = mark
		}
		return utf8.RuneError, true
	}
	p.pos--
	p.fail(outcome.NotJSON, "an unknown escape")
	return 0, false
}

func (p *parser) hex() (rune, bool) {
	var r rune
	for range 4 {
		if p.pos >= len(p.data) {
			p.fail(outcome.NotJSON, "")
			return 0, false
		}
		c := p.data[p.pos]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			p.fail(outcome.NotJSON, "expected four hexadecimal digits")
			return 0, false
		}
		r = r<<4 | rune(c)
		p.pos++
	}
	return r, true
}

// share returns b as a string without copying it.
func share(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf returns s as read-only bytes without copying it.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
