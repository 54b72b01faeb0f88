package offsets

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// Append encodes the state to at most limit bytes and appends them to b. What
// does not fit is left out, inputs with open ids last, and of an input the ids
// that came first: the reader can then only take a duplicate for new.
func (d *Dedup) Append(b []byte, limit int) []byte {
	inputs := make([]Input, 0, len(d.inputs))
	for input := range d.inputs {
		inputs = append(inputs, input)
	}
	slices.SortFunc(inputs, func(a, b Input) int {
		if d := len(d.inputs[b].ids) - len(d.inputs[a].ids); d != 0 {
			return d
		}
		if d := strings.Compare(a.Topic, b.Topic); d != 0 {
			return d
		}
		return cmp.Or(int(a.Partition)-int(b.Partition), cmp.Compare(a.Begin, b.Begin))
	})
	start := len(b)
	topics := make(map[string]uint64) // those that are spelt out already, from 1
	for _, input := range inputs {
		k := d.inputs[input]
		var one []byte
		if input.Begin != 0 {
			one = binary.AppendUvarint(binary.AppendUvarint(one, uint64(len(topics))+1), uint64(input.Begin))
		}
		if n := topics[input.Topic]; n > 0 {
			one = binary.AppendUvarint(one, n)
		} else {
			one = appendString(append(one, 0), input.Topic)
		}
		one = binary.AppendVarint(one, int64(input.Partition))
		one = appendPosition(one, k.done, Position{})
		list, n := k.appendNewest(nil, limit-(len(b)-start+len(one)+4))
		if len(b)-start+len(one)+len(list)+4 > limit {
			break
		}
		if topics[input.Topic] == 0 {
			topics[input.Topic] = uint64(len(topics) + 1)
		}
		b = append(b, one...)
		b = binary.AppendUvarint(b, uint64(n))
		b = append(b, list...)
	}
	return b
}

// appendNewest appends the newest ids, the last to come first, as far as limit
// bytes take them, and returns how many.
func (k *inputState) appendNewest(list []byte, limit int) (_ []byte, n int) {
	at := k.done
	for _, a := range slices.Backward(k.order) {
		if a.from.Before(k.done) {
			continue
		}
		longer := appendPosition(binary.BigEndian.AppendUint64(list, uint64(a.id)), a.from, at)
		if len(longer) > limit {
			break
		}
		list, at = longer, a.from
		n++
	}
	return list, n
}

var errDedup = errors.New("dedup state is damaged")

// Decode reads what Append wrote.
func Decode(b []byte) (*Dedup, error) {
	r := reader{b: b}
	d := &Dedup{}
	var topics []string
	for len(r.b) > 0 && !r.bad {
		i, begin := r.uvarint(), int64(0)
		if i == uint64(len(topics))+1 { // none of the topics: where the input begins comes first
			begin = int64(r.uvarint())
			i = r.uvarint()
		}
		switch {
		case i == 0:
			topics = append(topics, r.string())
			i = uint64(len(topics))
		case i > uint64(len(topics)):
			return nil, errDedup
		}
		input := Input{Topic: topics[i-1], Partition: int32(r.varint()), Begin: begin}
		done := r.position(Position{})
		n := r.uvarint()
		if r.bad || n > uint64(len(r.b)) {
			return nil, errDedup
		}
		k := d.state(input)
		k.done = done
		at, order := done, make([]arrived, n)
		for i := range order { // the newest comes first
			id := r.id()
			at = r.position(at)
			order[len(order)-1-i] = arrived{id, at}
		}
		for _, a := range order {
			k.add(a)
		}
	}
	if r.bad {
		return nil, errDedup
	}
	return d, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendPosition writes a position as what it is beyond another.
func appendPosition(b []byte, p, from Position) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, int64(p.Epoch)-int64(from.Epoch)), p.Offset-from.Offset)
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

func (r *reader) id() id {
	if len(r.b) < 8 {
		r.bad = true
		return 0
	}
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return id(v)
}

func (r *reader) position(from Position) Position {
	epoch := int64(from.Epoch) + r.varint()
	return Position{Epoch: int32(epoch), Offset: from.Offset + r.varint()}
}
