package secret

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// rounds limits how many nested levels of escapes are resolved.
const rounds = 4

// table holds the patterns to search for, by their first four bytes.
type table struct {
	patterns map[uint32][]pattern
	prefixes [1 << (hashBits - 6)]uint64 // a bit for each hashed prefix, to skip most positions
}

const hashBits = 15

// prefix returns the first four bytes of a text; no pattern is shorter.
func prefix(s string) uint32 {
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// bit returns the bit of a prefix in prefixes (multiplicative hashing, Knuth 6.4).
func bit(b uint32) (word, mask uint64) {
	h := b * 2654435761 >> (32 - hashBits)
	return uint64(h >> 6), 1 << (h & 63)
}

func newTable(secrets []string) *table {
	t := &table{patterns: make(map[uint32][]pattern)}
	for _, n := range patterns(secrets) {
		b := prefix(n.text)
		t.patterns[b] = append(t.patterns[b], n)
		word, mask := bit(b)
		t.prefixes[word] |= mask
	}
	return t
}

// find returns the places of the patterns in a text, in any encoding.
func (t *table) find(s string) []span {
	v := newView(s)
	spans := v.find(t, nil)
	for round := 0; round < rounds && v.resolve(); round++ {
		spans = v.find(t, spans)
	}
	return spans
}

// fold replaces plus signs with spaces, which are equal in
// application/x-www-form-urlencoded.
func fold(s string) string { return strings.ReplaceAll(s, "+", " ") }

// view is a text with its escapes resolved.
type view struct {
	text   []byte
	folded string
	at     []int // original index of each byte and of the end; nil: nothing is resolved
}

func newView(s string) *view { return &view{text: []byte(s), folded: fold(s)} }

// origin returns the part of the original text for a part of the view.
func (v *view) origin(p span) span {
	if v.at == nil {
		return p
	}
	to := p.to
	for to < len(v.text) && v.at[to] == v.at[p.to-1] { // inside one escape
		to++
	}
	return span{v.at[p.from], v.at[to]}
}

// find appends the places of the patterns.
func (v *view) find(t *table, spans []span) []span {
	for i := 0; i+shortest <= len(v.folded); i++ {
		b := prefix(v.folded[i:])
		if word, mask := bit(b); t.prefixes[word]&mask == 0 {
			continue
		}
		end := i
		for _, n := range t.patterns[b] {
			p := span{i, i + len(n.text)}
			if !strings.HasPrefix(v.folded[i:], n.text) || n.word && v.inWord(p) {
				continue
			}
			if n.wide {
				p = v.widen(p)
				end = max(end, p.to-1) // already covered
			}
			spans = append(spans, v.origin(p))
		}
		i = end
	}
	return spans
}

// inWord reports whether a part is inside a longer word.
func (v *view) inWord(p span) bool {
	joined := func(i int) bool {
		return i > 0 && i < len(v.text) && alphanumeric(v.text[i-1]) && alphanumeric(v.text[i])
	}
	return joined(p.from) || joined(p.to)
}

// widen extends a part over the base64 around it.
func (v *view) widen(p span) span {
	for p.from > 0 && inBase64(v.text[p.from-1]) {
		p.from--
	}
	for p.to < len(v.text) && inBase64(v.text[p.to]) {
		p.to++
	}
	return p
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}

func inBase64(c byte) bool {
	return c < utf8.RuneSelf && alphanumeric(c) || strings.IndexByte("+/-_=", c) >= 0
}

// resolve resolves one level of the escapes of JSON, Go, URLs and HTML, and reports
// whether there were any.
func (v *view) resolve() bool {
	if !bytes.ContainsAny(v.text, `%\&`) {
		return false
	}
	text, at := make([]byte, 0, len(v.text)), make([]int, 0, len(v.text)+1)
	origin := func(i int) int {
		if v.at == nil {
			return i
		}
		return v.at[i]
	}
	changed := false
	var buf [utf8.UTFMax * 2]byte
	for i := 0; i < len(v.text); {
		n, out := 1, v.text[i:i+1]
		switch v.text[i] {
		case '%', '\\', '&':
			if used, resolved := escape(v.text[i:], buf[:0]); used > 0 {
				n, out, changed = used, resolved, true
			}
		}
		for range out {
			at = append(at, origin(i))
		}
		text = append(text, out...)
		i += n
	}
	if !changed {
		return false
	}
	v.at = append(at, origin(len(v.text)))
	v.text, v.folded = text, fold(string(text))
	return true
}

// escape resolves the escape at the beginning of s into out and returns its length
// in s; 0: there is none.
func escape(s, out []byte) (int, []byte) {
	hex := func(from, digits int) (rune, bool) {
		if len(s) < from+digits {
			return 0, false
		}
		n, err := strconv.ParseUint(string(s[from:from+digits]), 16, 32)
		return rune(n), err == nil
	}
	switch {
	case len(s) < 2:
	case s[0] == '%':
		if c, ok := hex(1, 2); ok {
			return 3, append(out, byte(c))
		}
	case s[0] == '&':
		if end := bytes.IndexByte(s[:min(len(s), 12)], ';'); end > 0 {
			if text := html.UnescapeString(string(s[:end+1])); len(text) <= end {
				return end + 1, append(out, text...)
			}
		}
	case s[1] == 'u':
		r, ok := hex(2, 4)
		if !ok {
			break
		}
		if low, ok := hex(8, 4); ok && utf16.IsSurrogate(r) && s[6] == '\\' && s[7] == 'u' {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return 12, utf8.AppendRune(out, both)
			}
		}
		return 6, utf8.AppendRune(out, r)
	case s[1] == 'x': // Go and Python
		if c, ok := hex(2, 2); ok {
			return 4, append(out, byte(c))
		}
	default:
		const letters, characters = `"'\/bfnrt`, "\"'\\/\b\f\n\r\t"
		if k := strings.IndexByte(letters, s[1]); k >= 0 {
			return 2, append(out, characters[k])
		}
	}
	return 0, nil
}
