package event

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/instant"
)

// maxScanned limits the values that a Scanner accepts, in bytes: they have fewer
// than MaxValues/2 values.
const maxScanned = 64 << 10

// Scanner checks the records of one topic in one pass, without allocating, and
// finds the values at some paths. It is safe for concurrent use after the last Find.
type Scanner struct {
	root  wanted
	size  int
	limit int   // bytes
	times []int // of the event's time
}

// wanted is a member that a Scanner looks for, or that contains one.
type wanted struct {
	name    string
	at      int        // its index in the found values
	members [][]wanted // by the length of their names; nil: none
}

// Scanner returns a Scanner of the topic's records.
func (d *Decoder) Scanner(topic string) *Scanner {
	s := &Scanner{limit: min(maxScanned, int(d.unpack.max))}
	for _, path := range d.layout(topic).time {
		s.times = append(s.times, s.Find(path))
	}
	return s
}

// Find adds a path of at least one name. It returns the index of its value.
func (s *Scanner) Find(path []string) int {
	w := &s.root
	for _, name := range path {
		m := w.member([]byte(name))
		if m == nil {
			for len(w.members) <= len(name) {
				w.members = append(w.members, nil)
			}
			same := &w.members[len(name)]
			*same = append(*same, wanted{name: name, at: s.size})
			m = &(*same)[len(*same)-1]
			s.size++
		}
		w = m
	}
	return w.at
}

// Size returns the number of found values.
func (s *Scanner) Size() int { return s.size }

func (w *wanted) member(name []byte) *wanted {
	if len(name) >= len(w.members) {
		return nil
	}
	for i := range w.members[len(name)] {
		if m := &w.members[len(name)][i]; string(name) == m.name {
			return m
		}
	}
	return nil
}

// Found is a value that a Scanner has found; the zero value is Missing. It shares
// the record's memory.
type Found struct {
	kind Kind
	text string // a string's content; a boolean's or a number's literal
}

// Value returns the value; ok is false for an array or an object, which are not read.
func (f Found) Value() (v Value, ok bool) {
	switch f.kind {
	case Bool:
		return BoolValue(f.text == "true"), true
	case Number:
		n, _ := strconv.ParseFloat(f.text, 64) // as parser.number
		return LiteralValue(f.text, n), true
	}
	return Value{kind: f.kind, text: f.text}, f.kind < Array
}

// Scan reports whether Decode would read a record with this value without an error
// or a repair, and sets found, which has Size zero elements, to the values at the
// paths. The record must have no header of a CloudEvent (see CloudEventHeader) and
// fewer than MaxValues/2 headers. False: it is unusual, or has an error, or a found value would be ambiguous.
func (s *Scanner) Scan(value []byte, recorded, arrived time.Time, found []Found) bool {
	if len(value) > s.limit || !utf8.Valid(value) {
		return false
	}
	i := skipSpace(value, 0)
	if i == len(value) || value[i] != '{' {
		return false
	}
	if i = scanObject(value, i, 1, &s.root, found); i < 0 || skipSpace(value, i) != len(value) {
		return false
	}
	if arrived.IsZero() {
		arrived = time.Now()
	}
	if !recorded.IsZero() && !instant.Plausible(recorded, arrived) {
		return false
	}
	for _, at := range s.times {
		v, _ := found[at].Value()
		if t, ok := readTime(v); ok {
			return instant.Plausible(t, arrived)
		}
	}
	return true
}

// The functions below check JSON from position i in data. They return the position
// behind it, or -1 if it is not what the parser reads without a repair.

// scanObject sets found to the values of the wanted members. A name with an escape,
// or a wanted member that occurs twice, is not accepted. want is nil if no member
// is wanted.
func scanObject(data []byte, i, depth int, want *wanted, found []Found) int {
	if depth > MaxDepth {
		return -1
	}
	if i = skipSpace(data, i+1); i < len(data) && data[i] == '}' {
		return i + 1
	}
	for i < len(data) && data[i] == '"' {
		start := i + 1
		var plain bool
		if i, plain = skipString(data, i); i < 0 {
			return -1
		}
		name := data[start : i-1]
		if i = skipSpace(data, i); i >= len(data) || data[i] != ':' {
			return -1
		}
		i = skipSpace(data, i+1)
		var m *wanted
		if want != nil {
			if !plain {
				return -1
			}
			m = want.member(name)
		}
		if m == nil {
			i = skipValue(data, i, depth)
		} else {
			i = m.scan(data, i, depth, found)
		}
		if i < 0 {
			return -1
		}
		if i = skipSpace(data, i); i >= len(data) {
			return -1
		}
		switch data[i] {
		case '}':
			return i + 1
		case ',':
			i = skipSpace(data, i+1)
		default:
			return -1
		}
	}
	return -1
}

// scan sets the member's value.
func (w *wanted) scan(data []byte, i, depth int, found []Found) int {
	f := &found[w.at]
	if i >= len(data) || f.kind != Missing {
		return -1
	}
	start := i
	switch data[i] {
	case '"':
		i, plain := skipString(data, i)
		if i < 0 || !plain {
			return -1
		}
		*f = Found{String, share(data[start+1 : i-1])}
		return i
	case '{':
		f.kind = Object
		if w.members != nil {
			return scanObject(data, i, depth+1, w, found)
		}
	case '[':
		f.kind = Array
	case 'n':
		f.kind = Null
	case 't', 'f':
		f.kind = Bool
	default:
		f.kind = Number
	}
	i = skipValue(data, i, depth)
	if i >= 0 && (f.kind == Number || f.kind == Bool) {
		f.text = share(data[start:i])
	}
	return i
}

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

func skipNumber(data []byte, i int) int {
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
		return skipDigits(data, i)
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
