package schema

import (
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/algotrade/notifier/internal/event"
)

// field returns the value of a field that occurs so often.
func (r *protoReader) field(f *protoField, of []occurrence, depth int) (event.Value, error) {
	switch {
	case f.isMap:
		return r.entries(f, of, depth)
	case f.list:
		return r.list(f, of, depth)
	case f.implicit && (len(of) == 0 || f.isText() && len(of[len(of)-1].bytes) == 0):
		return f.zero(), nil
	case len(of) == 0:
		return event.Value{}, nil
	case f.message != nil:
		pieces := make([][]byte, len(of))
		for i := range of {
			pieces[i] = of[i].bytes
		}
		return r.message(f.message, depth+1, pieces...)
	}
	return r.one(f, &of[len(of)-1], depth)
}

// isText reports whether a field is a string or bytes.
func (f *protoField) isText() bool {
	return f.kind == protoreflect.StringKind || f.kind == protoreflect.BytesKind
}

// zero is the value of an implicit field that is not on the wire. An empty text cannot be
// told from one that is not set, and is no value of anything.
func (f *protoField) zero() event.Value {
	switch f.kind {
	case protoreflect.BoolKind:
		return event.BoolValue(false)
	case protoreflect.EnumKind:
		return f.enum.value(0)
	case protoreflect.StringKind, protoreflect.BytesKind:
		return event.Value{}
	}
	return event.NumberValue(0)
}

func (e *protoEnum) value(n int32) event.Value {
	if name, ok := e.names[n]; ok {
		return name
	}
	return event.NumberValue(float64(n))
}

// one returns the value of one occurrence.
func (r *protoReader) one(f *protoField, o *occurrence, depth int) (event.Value, error) {
	switch f.kind {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return r.message(f.message, depth+1, o.bytes)
	case protoreflect.StringKind:
		return text(o.bytes)
	case protoreflect.BytesKind:
		return r.binary(o.bytes)
	}
	return r.scalar(f, o.bits), nil
}

//nolint:gosec // the conversions are those of the wire format
func (r *protoReader) scalar(f *protoField, bits uint64) event.Value {
	switch f.kind {
	case protoreflect.BoolKind:
		return event.BoolValue(bits != 0)
	case protoreflect.EnumKind:
		return f.enum.value(int32(bits))
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		return integer(int64(int32(bits)))
	case protoreflect.Sint32Kind:
		return integer(int64(int32(protowire.DecodeZigZag(bits & math.MaxUint32))))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return unsigned(bits & math.MaxUint32)
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return integer(int64(bits))
	case protoreflect.Sint64Kind:
		return integer(protowire.DecodeZigZag(bits))
	case protoreflect.FloatKind:
		return r.single(math.Float32frombits(uint32(bits)))
	case protoreflect.DoubleKind:
		return r.float(math.Float64frombits(bits))
	}
	return unsigned(bits)
}

// list returns a repeated field; Missing if it is empty.
func (r *protoReader) list(f *protoField, of []occurrence, depth int) (event.Value, error) {
	var list []event.Value
	for i := range of {
		if of[i].wire != protowire.BytesType || !f.packable() {
			v, err := r.one(f, &of[i], depth)
			if err != nil {
				return event.Value{}, err
			}
			list = append(list, v)
			continue
		}
		for data := of[i].bytes; len(data) > 0; {
			bits, n := consume(data, wireTypes[f.kind])
			if n < 0 {
				return event.Value{}, protowire.ParseError(n)
			}
			if err := r.quota.TakeValues(1); err != nil {
				return event.Value{}, err
			}
			list = append(list, r.scalar(f, bits))
			data = data[n:]
		}
	}
	if list == nil {
		return event.Value{}, nil
	}
	return event.ArrayValue(list), nil
}

// packable reports whether several values of a list can be in one field.
func (f *protoField) packable() bool {
	_, scalar := wireTypes[f.kind]
	return scalar && f.kind != protoreflect.GroupKind
}

// consume reads a number of a wire type and returns its size; negative: an error of
// protowire.
func consume(data []byte, wire protowire.Type) (uint64, int) {
	switch wire {
	case protowire.Fixed32Type:
		v, n := protowire.ConsumeFixed32(data)
		return uint64(v), n
	case protowire.Fixed64Type:
		return protowire.ConsumeFixed64(data)
	}
	return protowire.ConsumeVarint(data)
}

// entries returns a map as an object; Missing if it is empty. An entry is a message with a
// key and a value.
func (r *protoReader) entries(f *protoField, of []occurrence, depth int) (event.Value, error) {
	var members []event.Value
	for i := range of {
		entry, err := r.message(f.message, max(depth, 2), of[i].bytes) // at 1 members are left out
		if err != nil {
			return event.Value{}, err
		}
		key, value := entry.Get("key"), entry.Get("value")
		if value.Kind() == event.Missing {
			if value, err = r.absent(&f.message.fields[len(f.message.fields)-1], depth); err != nil {
				return event.Value{}, err
			}
		}
		name := key.Text()
		if key.Kind() == event.Bool {
			name = strconv.FormatBool(key.Bool())
		}
		members = append(members, event.Member(name, value))
	}
	if members == nil {
		return event.Value{}, nil
	}
	return event.ObjectValue(members), nil
}

// absent is the value that an entry of a map does not have.
func (r *protoReader) absent(f *protoField, depth int) (event.Value, error) {
	switch {
	case f.message != nil:
		return r.message(f.message, depth+1)
	case f.isText():
		return event.StringValue(""), nil
	}
	return f.zero(), nil
}
