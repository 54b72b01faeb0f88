package event

import (
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
	limit int      // bytes
	texts [2][]int // of the event's id and type
	times []int    // of the event's time

	checks  []scanCheck // of the topic's schema
	decides bool        // the checks are all that the schema requires, or there is none
}

// scanCheck is what a schema requires of the found value at an index.
type scanCheck struct {
	at      int
	accepts func(Value) bool
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
	find := func(paths [][]string) []int {
		at := make([]int, len(paths))
		for i, path := range paths {
			at[i] = s.Find(path)
		}
		return at
	}
	l := d.layout(topic)
	s.texts, s.times = [2][]int{find(l.id), find(l.kind)}, find(l.time)
	s.decides = l.check.Schema == nil
	if !s.decides {
		var checks []MemberCheck
		checks, s.decides = l.check.Schema.Members()
		for _, c := range checks {
			s.checks = append(s.checks, scanCheck{s.Find([]string{c.Name}), c.Accepts})
		}
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
	read bool    // num or list is set
	text string  // a string's content; the JSON of other values
	num  float64 // of a number
	list []Value // of an array or an object
}

// Value returns the value; ok is false for an array or an object, which Lists reads.
func (f *Found) Value() (v Value, ok bool) {
	switch f.kind {
	case Bool:
		return BoolValue(f.text == "true"), true
	case Number:
		return LiteralValue(f.text, f.Number()), true
	}
	return Value{kind: f.kind, text: f.text}, f.kind < Array
}

// Kind returns the value's type.
func (f *Found) Kind() Kind { return f.kind }

// Number returns a number's value, which is read once.
func (f *Found) Number() float64 {
	if !f.read {
		f.num, _ = strconv.ParseFloat(f.text, 64) // as parser.number
		f.read = true
	}
	return f.num
}

// Scan reports whether Decode would read a record with this value without an error,
// a repair or a violation, and sets found, which has Size zero elements, to the values at the
// paths. The record must have no header of a CloudEvent (see CloudEventHeader) and
// fewer than MaxValues/2 headers. False: it is unusual, or has an error, or a found value
// would be ambiguous, or the topic's schema requires what only Decode can check.
func (s *Scanner) Scan(value []byte, recorded, arrived time.Time, found []Found) bool {
	if !s.decides || len(value) > s.limit || !utf8.Valid(value) {
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
	for _, paths := range s.texts {
		for _, at := range paths {
			if f := &found[at]; f.kind == String && !blank(f.text) || f.kind == Number {
				break
			} else if f.kind > Null {
				return false
			}
		}
	}
	if !s.readsTime(found, recorded, arrived) {
		return false
	}
	for i := range s.checks {
		c := &s.checks[i]
		if v, _ := found[c.at].Value(); !c.accepts(v) {
			return false
		}
	}
	return true
}

// readsTime reports whether the event's time is read without a repair.
func (s *Scanner) readsTime(found []Found, recorded, arrived time.Time) bool {
	for _, at := range s.times {
		if f := &found[at]; f.kind > Null {
			v, read := f.Value()
			t, ok := readTime(v)
			return read && ok && instant.PlausibleEvent(t, recorded, arrived) && !isDate(v)
		}
	}
	return true
}

// The functions below and the skip functions check JSON from position i in data. They return the position
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
		f.kind, f.text = String, share(data[start+1:i-1])
		return i
	case '{':
		f.kind = Object
		if w.members != nil {
			if i = scanObject(data, i, depth+1, w, found); i >= 0 {
				f.text = share(data[start:i])
			}
			return i
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
	if i >= 0 && f.kind != Null {
		f.text = share(data[start:i])
	}
	return i
}
