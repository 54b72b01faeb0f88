package repeat

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// Append encodes the marks to at most limit bytes and appends them to b. What
// does not fit is left out, inputs with open ids last: the reader can then
// only take a repeat for new.
func (m *Marks) Append(b []byte, limit int) []byte {
	inputs := make([]Input, 0, len(m.inputs))
	for input := range m.inputs {
		inputs = append(inputs, input)
	}
	slices.SortFunc(inputs, func(a, b Input) int {
		if d := len(m.inputs[b].ids) - len(m.inputs[a].ids); d != 0 {
			return d
		}
		if d := strings.Compare(a.Topic, b.Topic); d != 0 {
			return d
		}
		return int(a.Partition) - int(b.Partition)
	})
	start := len(b)
	for _, input := range inputs {
		k := m.inputs[input]
		one := appendString(nil, input.Topic)
		one = binary.AppendVarint(one, int64(input.Partition))
		one = appendPosition(one, k.done)
		ids := make([]string, 0, len(k.ids))
		for id := range k.ids {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		var list []byte
		n := 0
		for _, id := range ids {
			e := appendPosition(appendString(nil, id), k.ids[id])
			if len(b)-start+len(one)+len(list)+len(e)+4 > limit {
				break
			}
			list = append(list, e...)
			n++
		}
		if len(b)-start+len(one)+len(list)+4 > limit {
			break
		}
		b = append(b, one...)
		b = binary.AppendUvarint(b, uint64(n))
		b = append(b, list...)
	}
	return b
}

var errMarks = errors.New("marks of the repeat filter are damaged")

// Decode reads what Append wrote.
func Decode(b []byte) (*Marks, error) {
	r := reader{b: b}
	m := &Marks{}
	for len(r.b) > 0 && !r.bad {
		input := Input{Topic: r.string(), Partition: int32(r.varint())}
		done := r.position()
		n := r.uvarint()
		if r.bad || n > uint64(len(r.b)) {
			return nil, errMarks
		}
		k := m.mark(input)
		k.done = done
		for range n {
			id := r.string()
			k.ids[id] = r.position()
		}
	}
	if r.bad {
		return nil, errMarks
	}
	return m, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendPosition(b []byte, p Position) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, int64(p.Epoch)), p.Offset)
}

type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return v * r.take(n)
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	return v * int64(r.take(n))
}

// take moves on by n bytes; it returns 1, or 0 when there was nothing to read.
func (r *reader) take(n int) uint64 {
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return 1
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *reader) position() Position {
	return Position{Epoch: int32(r.varint()), Offset: r.varint()}
}
