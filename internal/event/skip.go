package event

import (
	"encoding/binary"
	"math/bits"
)

func skipValue(data []byte, i, depth int) int {
	if i >= len(data) {
		return -1
	}
	switch data[i] {
	case '"':
		i, _ = skipString(data, i)
		return i
	case '{':
		return scanObject(data, i, depth+1, nil, nil)
	case '[':
		return skipArray(data, i, depth+1)
	case 't':
		return skipWord(data, i, "true")
	case 'f':
		return skipWord(data, i, "false")
	case 'n':
		return skipWord(data, i, "null")
	}
	return skipNumber(data, i)
}

func skipArray(data []byte, i, depth int) int {
	if depth > MaxDepth {
		return -1
	}
	if i = skipSpace(data, i+1); i < len(data) && data[i] == ']' {
		return i + 1
	}
	for {
		if i = skipValue(data, i, depth); i < 0 {
			return -1
		}
		if i = skipSpace(data, i); i >= len(data) {
			return -1
		}
		switch data[i] {
		case ']':
			return i + 1
		case ',':
			i = skipSpace(data, i+1)
		default:
			return -1
		}
	}
}

func skipWord(data []byte, i int, word string) int {
	if len(data)-i < len(word) || string(data[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

// skipNumber does not accept a number that may be as large as the largest float.
func skipNumber(data []byte, i int) int {
	start := i
	if data[i] == '-' {
		i++
	}
	if i < len(data) && data[i] == '0' {
		i++
	} else if i = skipDigits(data, i); i < 0 {
		return -1
	}
	if i < len(data) && data[i] == '.' {
		if i = skipDigits(data, i+1); i < 0 {
			return -1
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		if i++; i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		exponent := i
		if i = skipDigits(data, i); i-exponent > 2 {
			return -1
		}
	}
	if i-start > 200 {
		return -1
	}
	return i
}

func skipDigits(data []byte, i int) int {
	start := i
	for i < len(data) && data[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func skipSpace(data []byte, i int) int {
	const blanks = 1<<' ' | 1<<'\t' | 1<<'\r' | 1<<'\n'
	for i < len(data) && data[i] <= ' ' && blanks>>data[i]&1 != 0 {
		i++
	}
	return i
}

// skipString also reports whether the string has no escape.
func skipString(data []byte, i int) (end int, plain bool) {
	plain = true
	i++
	for {
		for i+8 <= len(data) {
			if at := special(binary.LittleEndian.Uint64(data[i:])); at < 8 {
				i += at
				break
			}
			i += 8
		}
		for i < len(data) && data[i] >= ' ' && data[i] != '"' && data[i] != '\\' { // the last bytes, or text beyond ASCII
			i++
		}
		switch {
		case i >= len(data):
			return -1, false
		case data[i] == '"':
			return i + 1, plain
		case data[i] != '\\':
			return -1, false
		}
		plain = false
		if i = skipEscape(data, i+1); i < 0 {
			return -1, false
		}
	}
}

// special returns the index of the first byte of x that is a quote, a backslash, a
// control character or beyond ASCII; 8: none.
func special(x uint64) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	// Up to the first such byte no byte borrows, so that exactly its high bit is set.
	found := (x ^ '"'*ones - ones) | (x ^ '\\'*ones - ones) | (x - ' '*ones) | x
	return bits.TrailingZeros64(found&highs) / 8
}

// skipEscape checks what follows a backslash.
func skipEscape(data []byte, i int) int {
	if i >= len(data) {
		return -1
	}
	switch data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if len(data)-i < 5 {
			return -1
		}
		for _, c := range data[i+1 : i+5] {
			if lower := c | 0x20; c-'0' > 9 && lower-'a' > 5 {
				return -1
			}
		}
		return i + 5
	}
	return -1
}
