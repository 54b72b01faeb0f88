package event

// maxListed limits the values that Lists reads of one record.
const maxListed = 1024

// Lists reads the arrays and objects that a Scanner has found, as Decode reads them, into
// memory that is used again. It is for one goroutine.
type Lists struct {
	parser parser
	values []Value // of containers; those in use first
}

// NewLists returns Lists without values.
func NewLists() *Lists {
	l := &Lists{parser: parser{stack: make([]Value, 0, 64)}}
	l.parser.lists, l.parser.values = l, maxListed
	return l
}

// Read returns an array or an object, which is valid until Reset; ok is false if it has
// too many values.
func (l *Lists) Read(f *Found) (v Value, ok bool) {
	if !f.read {
		p := &l.parser
		p.data, p.pos, p.repairs, p.err, p.stack = bytesOf(f.text), 0, nil, nil, p.stack[:0]
		v := p.value(0, true)
		if p.err != nil || p.repairs != nil {
			return Value{}, false
		}
		f.read, f.list = true, v.list
	}
	return Value{kind: f.kind, list: f.list}, true
}

// Reset gives up the values and what they hold of a record.
func (l *Lists) Reset() {
	p := &l.parser
	if p.data == nil {
		return
	}
	clear(l.values)
	clear(p.stack[:max(p.high, len(p.stack))])
	l.values, p.high, p.data, p.repairs, p.err, p.values = l.values[:0], 0, nil, nil, nil, maxListed
}

// room returns memory for n values.
func (l *Lists) room(n int) []Value {
	if l == nil {
		return make([]Value, n)
	}
	used := len(l.values)
	if used+n > cap(l.values) { // the values up to now stay where they are
		used, l.values = 0, make([]Value, 0, max(64, 2*cap(l.values), n))
	}
	l.values = l.values[:used+n]
	return l.values[used : used+n : used+n]
}
